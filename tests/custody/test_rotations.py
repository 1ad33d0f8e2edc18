"""Rotations carried out: envelopes move, bodies do not; killed, cancelled, failed and gone on with (C5, C6, I4, I5)."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from types import SimpleNamespace

import pytest

from apps.audit import verification, writing
from apps.common import clock
from apps.common.errors import Refused
from apps.custody import retirement, rotations, tasks
from apps.custody.pace import Pace
from apps.files.keys import rewrap
from apps.files.keys.rewrap import waiting, waiting_count
from apps.files.store import FileTable
from apps.jobs import control, heartbeats
from apps.jobs import services as jobs
from apps.jobs.records import Job, JobState
from apps.keys import rotation, seeds, slots
from apps.keys import services as keys
from apps.keys.records import KeyState, RotationStatus, rotation_id_of
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import encrypted, opened, plaintext_of, rows_under
from tests.faults import TELLING, counted, watched
from tests.queues import die, into
from tests.tables import save, versions


@pytest.fixture(autouse=True)
def _at_once(monkeypatch, settings):
    """Nothing waits for an index that does not lag here; messages are taken from a list."""
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    settings.REWRAP_PER_SECOND = 1_000_000


@pytest.fixture
def sent(monkeypatch):
    """The messages that were sent, instead of a queue."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.rewrap_files, "apply_async", into(ids))
    return ids


def worked_off(sent):
    while sent:
        tasks.rewrap_files(sent.pop(0))


def job_of(found):
    return jobs.find(found.job_id, actor=TESTS)


def rotated(key, *, move=retirement.rotate):
    move(key.key_id, reason="test", actor=TESTS)
    return rotation.find(rotation_id_of(key.key_id))


@requirement("C5", "C6", "I5")
@pytest.mark.parametrize(
    ("move", "end"), [(retirement.rotate, KeyState.EXPIRED), (retirement.revoke, KeyState.REVOKED)]
)
def test_files_move_to_another_key_and_the_old_one_ends(stock, pool, sent, monkeypatch, settings, move, end):
    old = pool[0]
    files = {n: encrypted(b"content %d" % n, under=old, monkeypatch=monkeypatch) for n in range(3)}
    before = [(v["Key"], v["VersionId"], v["ETag"]) for v in versions(settings.ENCRYPTED_BUCKET)]
    found = rotated(old, move=move)
    worked_off(sent)
    after = [(v["Key"], v["VersionId"], v["ETag"]) for v in versions(settings.ENCRYPTED_BUCKET)]
    assert before == after, "no byte of a body is rewritten"
    done = rotation.find(found.rotation_id)
    assert (done.status, done.old_key_id) == (RotationStatus.DONE, old.key_id)
    assert done.ended_at is not None
    assert keys.find(old.key_id).state is end
    assert slots.counted(keys.find(str(done.new_key_id))).usage == 3, "counted as uses of the new key"
    assert [plaintext_of(file) for file in files.values()] == [b"content %d" % n for n in files]
    job = job_of(done)
    assert (job.state, job.done, job.total) == (JobState.SUCCEEDED, 3, 3)
    assert verification.verify().problems == []


class Killed(BaseException):
    """No handler of ours sees it, as none sees SIGKILL."""


@contextmanager
def killed(*, nth, applied):
    """The process dies at its ``nth`` transaction, before or after DynamoDB applied it."""
    seen = count(1)

    def deadly(call, client, operation, arguments):
        if operation != "TransactWriteItems" or next(seen) != nth:
            return call(client, operation, arguments)
        if applied:
            call(client, operation, arguments)
        raise Killed

    with watched(deadly), pytest.raises(Killed):
        yield
    seeds._kept.clear()  # another process starts with nothing in memory
    writing.known_chains.cache_clear()


@requirement("C6", "I4", "I5")
def test_a_rotation_killed_ten_times_is_finished(pool, sent, monkeypatch):
    monkeypatch.setattr(rewrap, "waiting", partial(waiting, limit=4))
    old = pool[0]
    file_keys = rows_under(old, 48)
    rotated(old)
    (job_id,) = sent
    for attempt in range(10):  # as the job starts, in its first batch, and in its second: so it gets further
        with killed(nth=1 + attempt % 3, applied=attempt % 4 < 2):
            tasks.rewrap_files(job_id)
        die(job_id)
        assert keys.find(old.key_id).state is KeyState.ROTATION_QUEUED
    worked_off(sent)
    assert {file_id: opened(file_id)[1] for file_id in file_keys} == file_keys
    assert waiting_count(old.key_id) == 0
    assert keys.find(old.key_id).state is KeyState.EXPIRED
    assert jobs.find(job_id, actor=TESTS).state is JobState.SUCCEEDED
    assert verification.verify().problems == []


@requirement("C6", "I4", "I5")
@pytest.mark.parametrize("fault", TELLING)
def test_no_failed_call_of_a_rotation_loses_a_file(pool, sent, fault, each_call):
    def prepare():
        (old,) = keys.create(1, actor=TESTS)
        file_keys = rows_under(old, 3)
        rotated(old)
        return old, file_keys

    def attempt(subject):
        retirement.start_waiting(actor=TESTS)
        worked_off(sent)

    for call, (old, file_keys) in each_call("rotate and re-wrap", fault, prepare, attempt):
        assert {file_id: opened(file_id)[1] for file_id in file_keys} == file_keys, call
        found = rotation.find(rotation_id_of(old.key_id))
        if found.status is not RotationStatus.DONE:
            assert keys.find(old.key_id).state is KeyState.ROTATION_QUEUED, call
            job = job_of(found) if found.job_id else None
            if job is None or job.state.ended:
                retirement.start(found.rotation_id, actor=TESTS)  # as an operator does with one that failed
            else:
                die(job.job_id)
                sent.append(job.job_id)  # as SQS does with a message that nobody acknowledged
            worked_off(sent)
        assert keys.find(old.key_id).state is KeyState.EXPIRED, call
        assert waiting_count(old.key_id) == 0, call
    assert verification.verify().problems == []


@requirement("C5", "I4")
def test_a_file_changed_while_its_batch_moves_does_not_stop_the_others(pool, monkeypatch):
    old, new = pool[:2]
    file_keys = rows_under(old, 3)
    batch = waiting(old.key_id).records
    first = batch[0]
    rewrap.rewrap_files(
        [first], source=old, target=pool[2], actor=TESTS
    )  # someone was faster; the page is stale
    moved = rewrap.rewrap_files(batch, source=old, target=new, actor=TESTS)
    assert (moved.count, moved.damaged) == (2, [])
    places = [opened(file.file_id)[0] for file in batch]
    assert places == [pool[2].key_id, new.key_id, new.key_id]
    assert {file_id: opened(file_id)[1] for file_id in file_keys} == file_keys


@requirement("C5", "I5")
def test_a_file_that_does_not_open_keeps_the_key_and_is_named(pool, sent):
    old = pool[0]
    rows_under(old, 3)
    broken = waiting(old.key_id).records[0]
    envelope = dict(broken.envelope) | {"sealed": "A" * len(broken.envelope["sealed"])}
    save(FileTable.of(replace(broken, envelope=envelope)))
    found = rotated(old)
    worked_off(sent)
    job = job_of(rotation.find(found.rotation_id))
    assert job.state is JobState.FAILED
    assert job.results["damaged"] == [broken.file_id]
    assert waiting_count(old.key_id) == 1
    assert keys.find(old.key_id).state is KeyState.ROTATION_QUEUED
    assert retirement.start_waiting(actor=TESTS) == 0, "what failed waits for someone to look at it"


@requirement("C6", "F5")
def test_a_job_is_cancelled_and_started_again(pool, sent, monkeypatch):
    old = pool[0]
    file_keys = rows_under(old, 90)
    found = rotated(old)
    (job_id,) = sent
    real = rewrap.rewrap_files

    def cancelled_after_the_first(*arguments, **named):
        control.cancel(job_id, actor=TESTS)
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(rewrap, "rewrap_files", cancelled_after_the_first)
        worked_off(sent)
    job = jobs.find(job_id, actor=TESTS)
    assert (job.state, job.done, job.total) == (JobState.CANCELLED, 40, 90)
    with pytest.raises(Refused):
        control.cancel(job_id, actor=TESTS)
    assert retirement.start_waiting(actor=TESTS) == 0, "who cancelled it meant it"
    retirement.start(found.rotation_id, actor=TESTS)
    worked_off(sent)
    assert waiting_count(old.key_id) == 0
    assert {opened(file_id)[0] for file_id in file_keys} == {rotation.find(found.rotation_id).new_key_id}


@requirement("C6")
def test_a_waiting_job_is_cancelled_at_once_and_its_message_does_nothing(pool, sent):
    rows_under(pool[0], 1)
    rotated(pool[0])
    assert control.cancel(sent[0], actor=TESTS).state is JobState.CANCELLED
    worked_off(sent)
    assert waiting_count(pool[0].key_id) == 1


@requirement("C6")
def test_one_job_works_on_a_rotation(pool, sent):
    rows_under(pool[0], 1)
    found = rotated(pool[0])
    with pytest.raises(Refused, match="already"):
        retirement.start(found.rotation_id, actor=TESTS)
    assert retirement.start_waiting(actor=TESTS) == 0
    worked_off(sent)
    with pytest.raises(Refused, match="is done"):
        retirement.start(found.rotation_id, actor=TESTS)


@requirement("C5", "I5")
def test_a_key_expires_only_once_the_index_can_have_shown_all_files(pool, sent, monkeypatch):
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 60)
    rotated(pool[0])
    worked_off(sent)
    assert retirement.start_waiting(actor=TESTS) == 0
    assert keys.find(pool[0].key_id).state is KeyState.ROTATION_QUEUED
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    retirement.start_waiting(actor=TESTS)
    assert keys.find(pool[0].key_id).state is KeyState.EXPIRED


@requirement("C5", "C6")
def test_files_go_on_to_a_third_key_when_the_second_is_rotated_meanwhile(pool, sent, monkeypatch):
    old = pool[0]
    file_keys = rows_under(old, 60)
    found = rotated(old)
    rotated_too: list[str] = []
    real = rewrap.rewrap_files

    def second_is_rotated_first(*arguments, target, **named):
        if not rotated_too:
            rotated_too.append(target.key_id)
            rotated(target)
        return real(*arguments, target=target, **named)

    with monkeypatch.context() as patch:
        patch.setattr(rewrap, "rewrap_files", second_is_rotated_first)
        worked_off(sent)
    done = rotation.find(found.rotation_id)
    assert done.new_key_id != rotated_too[0]
    assert {opened(file_id)[0] for file_id in file_keys} == {done.new_key_id}


@requirement("C6")
def test_a_long_job_gives_way_to_others_in_slices(pool, sent, monkeypatch):
    monkeypatch.setattr(heartbeats, "FAIR_SECONDS", 0.0)
    monkeypatch.setattr(heartbeats, "others_wait", lambda _queue: True)
    rows_under(pool[0], 90)
    rotated(pool[0])
    slices = 0
    while sent:
        tasks.rewrap_files(sent.pop(0))
        slices += 1
    assert slices >= 3
    assert waiting_count(pool[0].key_id) == 0


@requirement("C6")
def test_the_pace_is_kept(monkeypatch):
    now = [1000.0]

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr("apps.custody.pace.time", SimpleNamespace(monotonic=lambda: now[0]))
    pace = Pace(per_second=200, sleep=sleep)
    assert [pace.after(10) for _ in range(4)] == [True] * 4
    assert now[0] - 1000 == pytest.approx(40 / 200)
    sleep(1)  # the tables were slow
    assert [pace.after(10), pace.after(10)] == [False, False]
    assert now[0] - 1000 == pytest.approx(1 + 40 / 200)


@requirement("C6", "F5")
def test_a_job_tells_its_rate_and_when_it_will_be_done():
    started = clock.now()
    job = Job("1", "rewrap_files", JobState.RUNNING, "user:a", 100, started, started_at=started)
    assert (job.per_second, job.eta_seconds) == (None, None)
    later = replace(job, done=25, heard_at=started + timedelta(seconds=5))
    assert (later.per_second, later.eta_seconds) == (5.0, 15.0)


@requirement("C6")
def test_a_batch_costs_one_transaction(pool):
    rows_under(pool[0], 40)
    batch = waiting(pool[0].key_id).records
    seeds.seed_of(pool[0])
    with counted() as calls:
        rewrap.rewrap_files(batch, source=pool[0], target=pool[1], actor=TESTS)
    assert calls in (["TransactWriteItems"], ["GetItem", "TransactWriteItems"])  # the chain's head, once
