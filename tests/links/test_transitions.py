"""A link is active, paused, quarantined by a case, or retired; only over an active one sessions are run (A10)."""

from itertools import product

import pytest

from apps.audit import services as audit
from apps.common.errors import Invalid, Refused
from apps.links import services, transitions
from apps.links.records import TRANSITIONS, LinkState, LinkUnusable
from apps.links.store import LinkTable
from apps.sessions import services as sessions
from apps.sessions import stock as supply
from apps.sessions.services import GenerateRequest
from apps.sessions.store import SessionTable
from tests import requirement
from tests.conftest import TESTS
from tests.sessions.links import a_link
from tests.tables import rows

QUICK = GenerateRequest(key_length=64, error_rate=0.01, link="metro")


def in_state(state: LinkState) -> None:
    """Bring a new link to a state."""
    a_link("metro")
    if state is not LinkState.ACTIVE:
        transitions.move("metro", state, reason="x", actor=TESTS, case_id=case_for(state))


def case_for(state: LinkState) -> str | None:
    return "case-1" if state is LinkState.QUARANTINED else None


@requirement("A10")
@pytest.mark.parametrize(("before", "after"), [*product(LinkState, LinkState)], ids=str)
def test_a_link_goes_where_the_table_says_and_nowhere_else(aws, before: LinkState, after: LinkState):
    in_state(before)
    releases = (before, after) == (LinkState.QUARANTINED, LinkState.ACTIVE)
    case = "case-1" if releases else case_for(after)
    if before is after or after in TRANSITIONS[before]:
        assert transitions.move("metro", after, reason="y", actor=TESTS, case_id=case).state is after
        assert services.find("metro").state is after
    else:
        with pytest.raises(Refused, match=f"is {before}"):
            transitions.move("metro", after, reason="y", actor=TESTS, case_id=case)
        assert services.find("metro").state is before


@requirement("A10", "A1")
@pytest.mark.parametrize("state", [state for state in LinkState if state is not LinkState.ACTIVE])
def test_no_session_is_run_over_a_link_that_is_not_active(aws, state: LinkState):
    in_state(state)
    with pytest.raises(LinkUnusable, match=str(state)):
        sessions.generate(QUICK, actor=TESTS)
    with pytest.raises(LinkUnusable):
        sessions.check(QUICK, actor=TESTS)
    assert rows(SessionTable.Meta.table_name) == []


@requirement("A10")
def test_a_process_that_knows_the_link_as_active_runs_no_session_over_it(aws):
    a_link("metro")
    sessions.generate(QUICK, actor=TESTS)
    known = services._known.get("metro", lambda: services.find("metro"))
    transitions.quarantine("metro", case_id="c", reason="Eve", actor=TESTS)
    services._known.get("metro", lambda: known)  # another process: it has not heard of it
    with pytest.raises(LinkUnusable):
        sessions.generate(QUICK, actor=TESTS)


@requirement("A10")
def test_a_session_under_way_is_not_kept_once_its_link_is_quarantined(aws):
    from qkd import session as engine

    a_link("metro")

    def run(parameters):
        result = engine.run(parameters)
        transitions.quarantine("metro", case_id="c", reason="Eve", actor=TESTS)
        return result

    with pytest.raises(LinkUnusable):
        sessions.generate(QUICK, actor=TESTS, engine=run)
    assert rows(SessionTable.Meta.table_name) == []


@requirement("A10")
def test_a_session_under_way_is_kept_where_its_link_was_only_renamed(aws):
    from qkd import session as engine

    a_link("metro")

    def run(parameters):
        result = engine.run(parameters)
        services.change("metro", name="Renamed", reason="typing error", actor=TESTS)
        return result

    assert sessions.generate(QUICK, actor=TESTS, engine=run).link == "metro"


@requirement("A10")
def test_a_case_holds_a_link_until_it_releases_it(aws):
    a_link("metro")
    for _ in range(2):
        transitions.quarantine("metro", case_id="case-1", reason="Eve", actor=TESTS)
    with pytest.raises(Refused, match="quarantined"):
        transitions.quarantine("metro", case_id="case-2", reason="Mallory", actor=TESTS)
    for other in (None, "case-2"):
        with pytest.raises(Refused, match="case-1 holds"):
            transitions.move("metro", LinkState.ACTIVE, reason="x", actor=TESTS, case_id=other)
    released = transitions.release("metro", case_id="case-1", reason="a loose connector", actor=TESTS)
    assert (released.state, released.case_id) == (LinkState.ACTIVE, None)
    with pytest.raises(Invalid, match="case_id"):
        transitions.move("metro", LinkState.QUARANTINED, reason="x", actor=TESTS)
    with pytest.raises(Invalid, match="case_id"):
        transitions.move("metro", LinkState.PAUSED, reason="x", actor=TESTS, case_id="case-1")


@requirement("A10")
@pytest.mark.parametrize("link_id", [services.DEFAULT, services.STOCK])
def test_the_built_in_links_are_not_retired(aws, link_id: str):
    services.ensure_all_built_in()
    with pytest.raises(Refused, match="paused"):
        transitions.move(link_id, LinkState.RETIRED, reason="x", actor=TESTS)


@requirement("A10", "A8")
def test_a_paused_link_of_the_stock_leaves_it_empty_without_an_error(aws):
    services.ensure_built_in(services.STOCK)
    transitions.move(services.STOCK, LinkState.PAUSED, reason="works on the fibre", actor=TESTS)
    assert supply.refill() == 0
    transitions.move(services.STOCK, LinkState.ACTIVE, reason="done", actor=TESTS)
    assert supply.refill() > 0


@requirement("A10", "I1", "D1")
def test_every_step_leaves_its_entry_and_stands_in_the_links_history(aws):
    a_link("metro")
    services.change("metro", site_a="centre", reason="known now", actor=TESTS)
    transitions.move("metro", LinkState.PAUSED, reason="works", actor=TESTS)
    transitions.quarantine("metro", case_id="c", reason="Eve", actor=TESTS)
    steps = services.history("metro", limit=10).records
    told = ["link.quarantined", "link.paused", "link.changed", "link.made"]
    assert [step.event for step in steps] == told
    assert (steps[0].reason, steps[0].case_id, steps[0].changed_by) == ("Eve", "c", str(TESTS))
    assert steps[2].changed_fields == ("site_a",)
    entries = [entry.event for entry in audit.entries_page(limit=10).records]
    assert [event for event in entries if event.startswith("link.")] == told


@requirement("I10")
def test_a_row_of_an_older_release_is_still_authentic(aws):
    """Fields that it does not have are none of those that its tag covers."""
    a_link("metro")
    (row,) = [row for row in LinkTable.scan() if row.link_id == "metro"]
    absent = ("site_a", "parameters", "halted", "low_water", "changed_at")
    assert not set(absent) & row.deciding().keys()
    assert row.is_authentic()
