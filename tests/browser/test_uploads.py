"""The page that files are dropped on, where the line breaks, and where a name lies."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from apps.files import services as files
from tests import requirement
from tests.browser.conftest import Watched
from tests.console.demo import ALICE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("aws"),
    requirement("F2"),
]


@pytest.fixture
def lost(watched: Watched) -> list[bool]:
    """Whether the line to the bucket is lost, for each time that something is sent."""
    are_lost: list[bool] = []

    def answer(route: Route) -> None:
        if are_lost.pop(0):
            route.abort("connectionreset")
        else:
            route.fulfill(status=204, headers={"Access-Control-Allow-Origin": "*"})

    watched.may_ask_others = True
    watched.page.route(lambda url: not url.startswith((watched.origin, "data:", "blob:")), answer)
    return are_lost


def test_an_upload_whose_line_was_lost_is_sent_again_to_where_it_was_announced(
    watched: Watched, admin_user: Any, sign_in: Callable[[Any], None], lost: list[bool]
) -> None:
    sign_in(admin_user)
    lost += [True, True, False]
    page = watched.open("/admin/files/file/upload/")
    page.locator("#files").set_input_files({"name": "plan.txt", "mimeType": "text/plain", "buffer": b"a"})
    shown = page.locator("#uploads li")
    for _ in range(2):
        expect(shown).to_contain_text("The connection was lost.")
        shown.get_by_role("button", name="Try again").click()
    expect(shown).to_contain_text("Sent. See how it is encrypted")
    expect(shown.get_by_role("button")).to_have_count(0)
    (announced,) = files.files_page(actor=ALICE, limit=3).records
    assert announced.name == "plan.txt"


def test_a_name_that_turns_the_text_around_it_is_spelt_out_and_refused(
    watched: Watched, admin_user: Any, sign_in: Callable[[Any], None], lost: list[bool]
) -> None:
    sign_in(admin_user)
    page = watched.open("/admin/files/file/upload/")
    named: Any = {"name": "a\u202egpj.exe", "mimeType": "text/plain", "buffer": b"a"}
    page.locator("#files").set_input_files(named)
    shown = page.locator("#uploads li")
    expect(shown).to_contain_text("is not allowed in a name")
    expect(shown.locator("bdi")).to_have_text("a\\u202egpj.exe")
    expect(shown.get_by_role("button")).to_have_count(0)
    assert files.files_page(actor=ALICE, limit=1).records == []
