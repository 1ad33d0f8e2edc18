"""Re-wrapping runs as wide as its limit and the tables allow, and after a rotation by age no sooner than it must (C5, I11)."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from apps.audit import verification, writing
from apps.custody import lanes, pace, retirement, rotations, tasks
from apps.custody.lanes import Lanes
from apps.custody.pace import Pace
from apps.files.keys import rewrap
from apps.jobs import heartbeats
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.keys import rotation, services, slots
from apps.keys.records import KeyState, RotationStatus, rotation_id_of
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import opened, rows_under
from tests.faults import counted, watched
from tests.queues import into
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def _at_once(monkeypatch, settings):
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    settings.REWRAP_PER_SECOND = 1_000_000


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.rewrap_files, "apply_async", into(ids))
    return ids


def worked_off(sent):
    while sent:
        tasks.rewrap_files(sent.pop(0))


def revoked(key) -> str:
    retirement.revoke(key.key_id, reason="test", actor=TESTS)
    return str(rotation.find(rotation_id_of(key.key_id)).job_id)


@contextmanager
def most_at_once():
    """The most batches that were re-wrapped at one moment; each goes on once all that are to be begun beside it are."""
    seen, now, lock = [0], [0], threading.Lock()
    real, settle, awaited = rewrap.rewrap_files, Lanes._settled, list[Lanes[object]]()

    def settled(self):
        awaited.append(self)  # no more are begun until the oldest is done
        try:
            yield from settle(self)
        finally:
            awaited.remove(self)

    def all_begun():
        return any(now[0] > sum(not one.done() for one in list(lane._under_way)) for lane in list(awaited))

    def slow(*arguments, **named):
        with lock:
            now[0] += 1
            seen[0] = max(seen[0], now[0])
        wait_for(all_begun)
        try:
            return real(*arguments, **named)
        finally:
            with lock:
                now[0] -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewrap, "rewrap_files", slow)
        patch.setattr(Lanes, "_settled", settled)
        patch.setattr(rewrap, "BATCH", 4)
        patch.setattr(rewrap.waiting, "__kwdefaults__", {"limit": 4, "position": None})
        yield seen


@requirement("C5", "I5")
@pytest.mark.parametrize(("per_second", "least", "most"), [(1_000_000, 3, lanes.WIDEST), (40, 1, 1)])
def test_it_is_as_wide_as_its_limit_asks_for(pool, sent, settings, monkeypatch, per_second, least, most):
    now = [1.0]

    def pass_by(_work, seconds):
        now[0] += seconds

    def monotonic():  # a millisecond later each time: more than a batch may take at the higher limit
        now[0] += 0.001
        return now[0]

    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(heartbeats.Work, "pause", pass_by)
    settings.REWRAP_PER_SECOND = per_second
    file_keys = rows_under(pool[0], 60 if per_second > 100 else 24)
    job_id = revoked(pool[0])
    with most_at_once() as seen:
        worked_off(sent)
    assert least <= seen[0] <= most
    done = jobs.find(job_id, actor=TESTS)
    assert (done.state, done.done, done.total) == (JobState.SUCCEEDED, len(file_keys), len(file_keys))
    assert {file_id: opened(file_id)[1] for file_id in file_keys} == file_keys
    new = str(rotation.find(rotation_id_of(pool[0].key_id)).new_key_id)
    assert slots.counted(services.find(new)).usage == len(file_keys)
    assert verification.verify().problems == []


@requirement("C5", "I4", "I11")
def test_where_the_tables_refuse_it_works_narrower_and_loses_nothing(pool, sent, monkeypatch):
    monkeypatch.setattr(writing, "ATTEMPTS", 1)
    file_keys = rows_under(pool[0], 60)
    job_id = revoked(pool[0])
    refused: list[int] = []

    def around(call, aws, operation, arguments):
        if operation == "TransactWriteItems" and len(arguments["TransactItems"]) > 8:
            lanes_now = sum(one.name.startswith("lane") for one in threading.enumerate())
            if lanes_now > 1 and not refused:
                refused.append(lanes_now)
                told = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
                raise ClientError(told, operation)  # type: ignore[arg-type]
        return call(aws, operation, arguments)

    with most_at_once(), watched(around):
        worked_off(sent)
    assert refused, "it never was wide"
    done = jobs.find(job_id, actor=TESTS)
    assert (done.state, done.done) == (JobState.SUCCEEDED, len(file_keys))
    assert {file_id: opened(file_id)[1] for file_id in file_keys} == file_keys
    assert verification.verify().problems == []


def failing(error):
    def batch():
        raise error

    return batch


@pytest.fixture
def wide():
    """Lanes that work as wide as they may."""
    with Lanes[int](Pace(1e9)) as made:
        for _ in range(2 * lanes.WIDEST):
            made.keep_pace(1)
        yield made


@requirement("C6")
def test_lanes_begin_as_many_as_there_is_room_for_and_give_results_in_order(wide):
    given = [list(wide.begin(lambda number=number: number)) for number in range(lanes.WIDEST + 2)]
    assert given[: lanes.WIDEST - 1] == [[]] * (lanes.WIDEST - 1)
    assert [*given[lanes.WIDEST - 1 :], list(wide.rest())] == [
        [0],
        [1],
        [2],
        list(range(3, lanes.WIDEST + 2)),
    ]


@requirement("C6", "I11")
def test_lanes_halve_where_aws_refuses_and_tell_all_else(wide):
    assert [*wide.begin(failing(TimeoutError())), *wide.begin(lambda: 1), *wide.rest()] == [1]
    assert (wide.width, wide.is_refused) == (lanes.WIDEST // 2, True)
    with pytest.raises(ValueError, match="broken"):
        list(wide.begin(failing(ValueError("broken")))) + list(wide.rest())


@requirement("C6")
def test_a_lane_that_is_alone_tells_what_aws_refuses():
    with Lanes[int](Pace(0.001, sleep=lambda _: None)) as alone:
        alone.keep_pace(1)
        with pytest.raises(TimeoutError):
            list(alone.begin(failing(TimeoutError())))


@requirement("C5", "I5")
def test_a_key_rotated_by_age_keeps_its_files_for_the_days_set_and_no_longer(pool, sent, settings, later):
    settings.REWRAP_AFTER_DAYS, settings.POOL_ROTATION_DAYS = 335, 30
    file_keys = rows_under(pool[0], 3)
    later(days=31)
    assert retirement.rotate_due(actor=TESTS) >= len(pool)
    assert services.find(pool[0].key_id).state is KeyState.ROTATION_QUEUED
    with counted() as calls:
        assert retirement.start_waiting(actor=TESTS) == 0
    assert len(calls) == 1, "those that wait are not looked into"
    assert {opened(file_id)[0] for file_id in file_keys} == {pool[0].key_id}
    later(days=336)
    retirement.start_waiting(actor=TESTS)
    worked_off(sent)
    assert {opened(file_id)[1] for file_id in file_keys} == set(file_keys.values())
    assert services.find(pool[0].key_id).state is KeyState.EXPIRED
    assert verification.verify().problems == []


@requirement("C5", "I5")
@pytest.mark.parametrize("how", ["revoked", "resumed", "minimum raised"])
def test_what_may_be_compromised_or_was_asked_for_never_waits(pool, sent, settings, later, how):
    settings.REWRAP_AFTER_DAYS = 335
    file_keys = rows_under(pool[0], 3)
    if how == "minimum raised":
        retirement.set_minimum(2, actor=TESTS)
    else:
        later(days=31)
        retirement.rotate_due(actor=TESTS)
        if how == "revoked":
            retirement.revoke(pool[0].key_id, reason="leaked", actor=TESTS)
        else:
            retirement.start(rotation_id_of(pool[0].key_id), actor=TESTS)
    worked_off(sent)
    assert rotation.find(rotation_id_of(pool[0].key_id)).status is RotationStatus.DONE
    assert pool[0].key_id not in {opened(file_id)[0] for file_id in file_keys}
