"""The quarantine of a case's link at the console: offered where it can be done, to who may do it (A10, F2)."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.cases import services
from apps.cases.records import Case
from apps.links import services as links
from apps.links.records import LinkState
from apps.sessions.records import Session
from tests import requirement
from tests.cases.found import case_over
from tests.conftest import TESTS
from tests.console.pages import CASES, act
from tests.sessions.links import a_link

pytestmark = requirement("A10", "F2")


@pytest.fixture
def case(aws: None) -> Case:
    """A case about a compromised session over the link metro."""
    a_link("metro")
    return case_over("metro")


def buttons(client: Client, case: Case) -> set[str]:
    page = client.get(f"{CASES}{case.case_id}/change/")
    return {one["name"] for one in page.context["buttons"]} & {"quarantine", "release"}


def test_the_console_quarantines_and_releases_and_offers_what_can_be_done(
    console: Client, case: Case
) -> None:
    assert buttons(console, case) == {"quarantine"}
    act(console, CASES, "quarantine", [case.case_id], reason="Eve")
    assert links.find("metro").case_id == case.case_id
    assert buttons(console, case) == {"release"}
    asked = console.get(f"{CASES}do/release/", {"id": case.case_id}).content.decode()
    assert "quarantined" in asked.lower()
    act(console, CASES, "release", [case.case_id], reason="a loose connector")
    assert links.find("metro").state is LinkState.ACTIVE
    services.close(case.case_id, reason="done", actor=TESTS)
    assert buttons(console, case) == set()


def test_what_is_held_back_with_a_link_is_told_before(console: Client, case: Case, stock: Session) -> None:
    over_stock = case_over("stock")
    asked = console.get(f"{CASES}do/quarantine/", {"id": [case.case_id]})
    assert "keys made over it are held back" in asked.content.decode()
    assert asked.context["left"] == ["Ready quantum keys held back: 0. Left in the platform's stock: 16."]
    everything = console.get(f"{CASES}do/quarantine/", {"id": [over_stock.case_id]})
    assert everything.context["left"] == [
        "Ready quantum keys held back: 16. Left in the platform's stock: 0.",
        "Nothing can be encrypted until other links have keys.",
    ]


def test_the_console_asks_for_the_right_to_links_too(person: Callable[..., Client], case: Case) -> None:
    only_cases = person("cases.view_case", "cases.manage_case")
    assert buttons(only_cases, case) == set()
    for step in ("quarantine", "release"):
        assert only_cases.get(f"{CASES}do/{step}/", {"id": case.case_id}).status_code == 403
    both = person("cases.view_case", "cases.manage_case", "links.manage_link")
    assert buttons(both, case) == {"quarantine"}
