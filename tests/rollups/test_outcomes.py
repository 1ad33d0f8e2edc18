"""What became of sessions, of all links in a Query or two (F3, I6)."""

from datetime import timedelta

import pytest

from apps.common import clock
from apps.detections import services as detections
from apps.following import services as following
from apps.rollups import outcomes
from apps.rollups.records import Period
from apps.rollups.store import BUCKET, RollupTable, key_of
from apps.sessions import services as sessions
from apps.sessions import transitions
from tests import requirement
from tests.conftest import TESTS
from tests.detections.test_services import pending
from tests.faults import counted

pytestmark = requirement("F3", "I6")


@pytest.fixture
def judged(aws, mid_month):
    """Sessions over two links: clean ones, one that was tapped, one that was revoked; the trail was followed."""
    template = sessions.generate(sessions.GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)
    ids = [pending(template, rate=rate, expected=rate, link="a").session_id for rate in (0.02, 0.04)]
    ids.append(pending(template, rate=0.13, expected=0.13, link="b").session_id)
    for session_id in ids:
        detections.judge(session_id, actor=TESTS)
    transitions.revoke(ids[0], reason="tried", actor=TESTS)
    following.catch_up()


def told(period=Period.HOUR, **by):
    found = outcomes.since(clock.now() - max(period.length, timedelta(hours=1)), period=period, **by)
    return {(one.link, one.outcome): (one.count, round(one.total, 3)) for one in found}


ALL = {
    ("a", "ready"): (2, 6.0),
    ("a", "revoked"): (1, 0.0),
    ("b", "compromised"): (1, 13.0),
}


@pytest.mark.parametrize("period", Period)
def test_each_outcome_is_counted_by_link(judged, period):
    assert told(period) == ALL
    assert told(period, link="b") == {("b", "compromised"): (1, 13.0)}
    assert told(period, link="c") == {}


def test_however_many_links_there_are_it_is_one_query(judged):
    with counted() as made:
        told()
    assert list(made) == ["Query"]


@pytest.mark.parametrize("parts", [1, 64])
def test_the_parts_of_a_bucket_are_added_up(aws, mid_month, settings, parts):
    settings.ROLLUP_PARTS = parts
    begins = Period.HOUR.start_of(clock.now())
    for part in range(3):
        name = f"{begins.strftime(BUCKET)}#{part:02d}#ready#a"
        row = RollupTable(key_of(outcomes.SERIES, Period.HOUR, begins), name)
        row.number, row.total = 2, 5
        row.save()
    assert told() == {("a", "ready"): (6, 15.0)}


def test_a_bucket_ends_where_the_next_begins(judged, later):
    later(hours=1)
    assert told() == ALL
    later(hours=1)
    assert told() == {}
    assert outcomes.since(clock.now() - timedelta(hours=2), period=Period.HOUR)


@pytest.mark.parametrize("name", ["", "#00#ready#a", "x#00#ready#a", "#00", "#00#ready"])
def test_rows_that_somebody_else_named_are_passed_over(judged, name):
    begins = Period.HOUR.start_of(clock.now())
    bucket = begins.strftime(BUCKET)
    named = (
        f"{bucket[:-1]}{name}"
        if name.startswith("x")
        else bucket + (name if name.count("#") < 3 else "!" + name)
    )
    row = RollupTable(key_of(outcomes.SERIES, Period.HOUR, begins), named)
    row.number = row.total = 1_000
    row.save()
    assert told() == ALL


def test_entries_of_another_release_count_where_they_say_enough(aws, mid_month):
    """One without a link, or with an error rate that is no number."""
    from apps.audit.services import transaction
    from apps.sessions.trail import SessionEvent

    with transaction(TESTS) as tx:
        tx.audit(SessionEvent.READY, session_id="s1", qber="high")
        tx.audit(SessionEvent.REVOKED, session_id="s2")
    following.catch_up()
    assert told() == {("unknown", "ready"): (1, 0.0), ("unknown", "revoked"): (1, 0.0)}
