"""Sums by minute, hour and day of what the trail says: each entry counts once, and nothing is scanned (F3, I6)."""

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from apps.audit.records import Actor, ActorKind
from apps.audit.services import transaction
from apps.audit.store import EntryTable
from apps.common import clock
from apps.common.aws import client
from apps.detections import services as detections
from apps.files.trail import FileEvent, MessageEvent
from apps.following import places
from apps.following import services as following
from apps.following.records import PlaceMoved
from apps.metrics.catalog import DECRYPTIONS, ENCRYPTED_BYTES, ENCRYPTIONS, METRICS, QBER, VERDICTS
from apps.metrics.derived import samples
from apps.rollups import counting, services
from apps.rollups.counting import series_name
from apps.rollups.followers import FOLLOWERS
from apps.rollups.records import Period
from apps.rollups.store import BUCKET, RollupTable, key_of
from apps.sessions import services as sessions
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.detections.test_services import pending
from tests.faults import counted
from tests.tables import rows
from tests.trail_stream import event, records

pytestmark = [requirement("F3"), pytest.mark.usefixtures("within_half_an_hour")]


@pytest.fixture
def template(aws):
    """A pending session that others are copied from."""
    return sessions.generate(sessions.GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)


def worked(count):
    """Entries about encryption and reading, of two callers."""
    for number in range(count):
        actor = Actor(ActorKind.SERVICE, f"caller{number % 2}")
        with transaction(actor) as tx:
            tx.audit(FileEvent.ENCRYPTED, file_id=f"f{number}", size=1000)
            tx.audit(MessageEvent.ENCRYPTED, file_id=f"m{number}", messages=3)
        with transaction(actor) as tx:
            tx.audit(FileEvent.READ, file_id=f"f{number}")


def total(metric, **dimensions):
    return sum(point.total for point in services.chart(metric, **dimensions))


def test_each_entry_counts_once_however_often_the_stream_brings_it(aws):
    worked(10)
    for _ in range(3):
        handler(event(records()), None)
    assert total(ENCRYPTIONS) == 10 * 4
    assert total(ENCRYPTIONS, kind="file") == 10
    assert total(ENCRYPTIONS, kind="message") == 30
    assert total(ENCRYPTED_BYTES) == 10_000
    assert total(DECRYPTIONS, kind="file") == 10
    for period in Period:
        assert sum(point.total for point in services.chart(ENCRYPTIONS, period=period, hours=24)) == 40


@pytest.mark.parametrize("period", Period)
def test_a_bucket_counts_from_its_first_second(aws, period):
    """In the first minute of a day, nobody seemed to have used anything on it."""
    begins = datetime(2026, 11, 27, tzinfo=UTC)
    row = RollupTable(key_of(series_name(ENCRYPTIONS), period, begins), f"{begins.strftime(BUCKET)}#03")
    row.number = row.total = 5
    row.save()
    for seconds, seen in ((0, []), (1, [5]), (59, [5])):
        until = begins + timedelta(seconds=seconds)
        found = services.points(ENCRYPTIONS, period=period, since=begins, until=until)
        assert [point.count for point in found] == seen


def test_the_sums_hold_under_retries_losses_and_other_orders(aws, monkeypatch):
    worked(12)
    some, real = random.Random(2), places.move

    def flaky(moves, also=None):
        if some.random() < 0.3:
            raise PlaceMoved
        real(moves, also)

    monkeypatch.setattr(places, "move", flaky)
    for _ in range(6):
        handler(event(some.sample(records(), k=8)), None)
    monkeypatch.setattr(places, "move", real)
    following.catch_up()
    assert total(ENCRYPTIONS) == 48
    assert total(ENCRYPTED_BYTES) == 12_000


@requirement("I10")
@pytest.mark.parametrize("spoiled", [{"S": "many"}, {"NULL": True}], ids=str)
@pytest.mark.parametrize("name", ["number", "total"])
def test_what_somebody_spoiled_begins_again_and_stops_no_counting(aws, settings, name, spoiled):
    settings.ROLLUP_PARTS = 1  # so that it is added to
    worked(2)
    handler(event(records()), None)
    table = RollupTable.Meta.table_name
    item = next(item for item in rows(table) if item["series"]["S"].startswith(f"{ENCRYPTIONS.name}|hour"))
    client("dynamodb").put_item(TableName=table, Item=item | {name: spoiled})
    before = total(ENCRYPTED_BYTES)
    worked(2)
    handler(event(records()), None)
    assert 2 * 4 <= total(ENCRYPTIONS) <= 4 * 4
    assert total(ENCRYPTED_BYTES) == 2 * before, "what stands in other rows is whole"
    handler(event(records()), None)
    assert total(ENCRYPTED_BYTES) == 2 * before


def test_entries_that_touch_many_series_take_several_transactions_and_count_once(aws, monkeypatch):
    monkeypatch.setattr(counting, "MOST_ROWS", 20)
    worked(6)
    handler(event(records()), None)
    assert total(ENCRYPTIONS) == 24
    calls = []
    real = places.move

    def dies(moves, also=None):
        calls.append(moves)
        if len(calls) == 2:
            raise RuntimeError("killed")
        real(moves, also)

    monkeypatch.setattr(places, "move", dies)
    worked(6)
    with pytest.raises(ExceptionGroup):
        handler(event(records()), None)
    monkeypatch.setattr(places, "move", real)
    following.catch_up()
    assert total(ENCRYPTIONS) == 48


def test_verdicts_and_error_rates_are_kept_by_link(template):
    for rate in (0.02, 0.04):
        detections.judge(pending(template, rate=rate, expected=rate, link="a").session_id, actor=TESTS)
    detections.judge(pending(template, rate=0.13, expected=0.13, link="b").session_id, actor=TESTS)
    handler(event(records()), None)
    (hour,) = [point for point in services.chart(QBER, link="a") if point.count]
    assert hour.count == 2
    assert hour.total == pytest.approx(6.0)
    assert total(VERDICTS, link="b", verdict="compromised") == 1
    assert total(VERDICTS, link="a", verdict="compromised") == 0


def test_a_caller_s_usage_is_its_own_and_the_platform_s_nobody_s(aws):
    worked(10)
    handler(event(records()), None)
    assert services.usage(ENCRYPTIONS, actor="service:caller0") == 20
    assert services.usage(ENCRYPTIONS, actor="service:caller1") == 20
    assert services.usage(ENCRYPTIONS, actor="service:none") == 0


@requirement("I6")
def test_a_chart_is_a_query_or_two_whatever_there_is(aws):
    worked(10)
    handler(event(records()), None)
    for period, hours in ((Period.MINUTE, 1), (Period.HOUR, 24), (Period.DAY, 24 * 30)):
        with counted() as made:
            points = services.chart(ENCRYPTIONS, period=period, hours=hours)
        assert set(made) == {"Query"}
        assert len(made) <= 2
        assert len(points) == timedelta(hours=hours) / period.length


def test_many_entries_make_few_writes(aws, monkeypatch):
    monkeypatch.setattr(following, "followers", lambda: FOLLOWERS)
    worked(20)
    batch = event(records())
    with counted() as made:
        handler(batch, None)
    calls = Counter(made)
    assert calls["Scan"] == 0
    assert calls["TransactWriteItems"] <= -(-60 // following.TOGETHER) + 1


def test_processes_that_follow_other_chains_write_other_rows(aws, settings):
    settings.ROLLUP_PARTS = 64
    worked(12)
    handler(event(records()), None)
    parts = {str(row.bucket).partition("#")[2] for row in RollupTable.scan()}
    assert parts
    assert total(ENCRYPTIONS) == 48, "whatever the parts, they are added up"
    settings.ROLLUP_PARTS = 1
    assert total(ENCRYPTIONS) == 48, "the setting may change at any time"


def test_rows_end_with_their_time(aws):
    worked(1)
    handler(event(records()), None)
    for row in RollupTable.scan():
        period = Period(row.series.split("|")[-2])
        age = int(row.ttl) - clock.now().timestamp()
        assert 0 < age <= period.kept.total_seconds()


def test_the_rollups_and_the_metrics_tell_the_same(aws):
    worked(5)
    handler(event(records()), None)
    told: dict[str, float] = defaultdict(float)
    for row in EntryTable.scan():
        entry = row.record()
        for sample in samples(entry.event, entry.outcome, entry.detail):
            told[sample.metric.name] += sample.value
    assert told
    for metric in METRICS:
        if metric.name in told:
            assert total(metric) == told[metric.name]
