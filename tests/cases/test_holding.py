"""A case quarantines its link and releases it: by the API, at the console, and nobody else meanwhile (A10, B8)."""

import pytest

from apps.access import api_keys
from apps.access.roles import Role, scopes_of
from apps.audit import services as audit
from apps.audit.records import Actor, ActorKind
from apps.cases import holding, services
from apps.cases.records import Case, CaseClosed
from apps.common.errors import Refused
from apps.links import services as links
from apps.links import transitions
from apps.links.records import LinkNotFound, LinkState, LinkUnusable
from apps.sessions import services as sessions
from apps.sessions.services import GenerateRequest
from tests import requirement
from tests.cases.found import case_over
from tests.conftest import TESTS, Api
from tests.sessions.links import a_link

pytestmark = requirement("A10", "B8")
QUICK = GenerateRequest(key_length=64, error_rate=0.01, link="metro")
WHY = {"reason": "Eve"}


@pytest.fixture
def case(aws: None) -> Case:
    """A case about a compromised session over the link metro."""
    a_link("metro")
    return case_over("metro")


def test_a_case_takes_its_link_out_of_use_and_gives_it_back(admin_api: Api, case: Case) -> None:
    path = f"cases/{case.case_id}"
    for _ in range(2):  # it may be asked for again
        answer = admin_api.post(f"{path}/quarantine", WHY)
        assert (answer.status_code, answer.json()["state"]) == (200, "quarantined")
        assert (answer.json()["case_id"], answer.json()["reason"]) == (case.case_id, "Eve")
    with pytest.raises(LinkUnusable):
        sessions.generate(QUICK, actor=TESTS)
    released = admin_api.post(f"{path}/release", {"reason": "a loose connector"}).json()
    assert (released["state"], released["case_id"]) == ("active", None)
    assert sessions.generate(QUICK, actor=TESTS).link == "metro"
    assert admin_api.post(f"{path}/release", WHY).status_code == 409, "it is held no more"


@requirement("I1", "D1")
def test_each_step_leaves_one_entry_and_stands_in_the_links_history(case: Case) -> None:
    for _ in range(2):
        holding.quarantine_link(case.case_id, reason="Eve", actor=TESTS)
    holding.release_link(case.case_id, reason="a loose connector", actor=TESTS)
    told = ["link.activated", "link.quarantined", "link.made"]
    entries = [entry.event for entry in audit.entries_page(limit=50).records]
    assert [event for event in entries if event.startswith("link.")] == told
    steps = links.history("metro", limit=10).records
    assert [(step.event, step.reason) for step in steps[:2]] == [
        ("link.activated", "a loose connector"),
        ("link.quarantined", "Eve"),
    ]


def test_a_link_that_one_case_holds_is_neither_taken_nor_released_by_another(case: Case) -> None:
    other = case_over("metro")
    holding.quarantine_link(case.case_id, reason="Eve", actor=TESTS)
    for step in (holding.quarantine_link, holding.release_link):
        with pytest.raises(Refused, match="metro"):
            step(other.case_id, reason="Mallory", actor=TESTS)
    assert links.find("metro").case_id == case.case_id


def test_a_closed_case_quarantines_nothing_and_still_releases_what_it_holds(case: Case) -> None:
    holding.quarantine_link(case.case_id, reason="Eve", actor=TESTS)
    services.close(case.case_id, reason="done", actor=TESTS)
    with pytest.raises(CaseClosed):
        holding.quarantine_link(case.case_id, reason="Eve", actor=TESTS)
    assert holding.release_link(case.case_id, reason="done", actor=TESTS).state is LinkState.ACTIVE


def test_a_retired_link_stays_what_it_is(case: Case) -> None:
    transitions.move("metro", LinkState.RETIRED, reason="x", actor=TESTS)
    with pytest.raises(Refused, match="retired"):
        holding.quarantine_link(case.case_id, reason="Eve", actor=TESTS)


@pytest.mark.parametrize("step", ["quarantine", "release"])
def test_it_needs_the_rights_to_cases_and_to_links(case: Case, step: str) -> None:
    path = f"cases/{case.case_id}/{step}"
    operator = Api(Role.OPERATOR)
    owner = str(operator.actor)
    for missing in ("cases:manage", "links:manage"):
        others = sorted({scope.value for scope in scopes_of(Role.OPERATOR)} - {missing})
        _, operator.key = api_keys.issue(owner, scopes=others, actor=TESTS)
        assert operator.post(path, WHY).status_code == 403
    assert Api(Role.VIEWER).post(path, WHY).status_code == 403
    assert links.find("metro").state is LinkState.ACTIVE


@pytest.mark.parametrize("step", ["quarantine", "release"])
def test_what_is_not_there_is_said_so_and_a_reason_is_needed(admin_api: Api, case: Case, step: str) -> None:
    assert admin_api.post(f"cases/none/{step}", WHY).status_code == 404
    for wrong in ({}, {"reason": ""}, {"reason": "x" * 256}, {"reason": "x", "case_id": "another"}):
        assert admin_api.post(f"cases/{case.case_id}/{step}", wrong).status_code == 400
    assert links.find("metro").state is LinkState.ACTIVE


def test_a_link_that_the_actor_may_not_know_of_is_not_touched(case: Case) -> None:
    links.change("metro", users=[], reason="x", actor=TESTS)
    stranger = Actor(ActorKind.SERVICE, "stranger")
    for step in (holding.quarantine_link, holding.release_link):
        with pytest.raises(LinkNotFound):
            step(case.case_id, reason="Eve", actor=stranger)
