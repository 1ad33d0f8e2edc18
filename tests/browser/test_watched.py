"""The watch over a page: what its browser gives up on leaving is no fault, and what fails on it is one."""

import pytest

from tests import requirement
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HANGING = "**/never-answered"


@pytest.fixture
def hanging(watched: Watched, aws: None) -> Watched:
    """The sign-in page, from which a request to one address is never answered."""
    watched.page.route(HANGING, lambda _route: None)
    watched.open("/")
    return watched


@requirement("F1")
def test_a_request_of_a_page_that_was_left_is_no_problem(hanging: Watched) -> None:
    page = hanging.page
    page.evaluate("void fetch('/never-answered').catch(() => {})")
    with page.expect_event("requestfailed"):
        hanging.open("/")
    assert hanging.problems == []


@requirement("F1")
def test_a_request_that_the_page_itself_gave_up_is_a_problem(hanging: Watched) -> None:
    page = hanging.page
    page.evaluate("globalThis.control = new AbortController()")
    with page.expect_event("requestfailed"):
        page.evaluate("void fetch('/never-answered', { signal: control.signal }).catch(() => {})")
        page.evaluate("control.abort()")
    assert len(hanging.problems) == 1
    assert "never-answered" in hanging.problems[0]


@requirement("F1")
def test_a_request_that_fails_otherwise_stays_a_problem_after_the_page_was_left(hanging: Watched) -> None:
    page = hanging.page
    page.route("**/refused", lambda route: route.abort("connectionrefused"))
    with page.expect_event("requestfailed"):
        page.evaluate("void fetch('/refused').catch(() => {})")
    hanging.open("/")
    assert any("refused" in problem for problem in hanging.problems)
