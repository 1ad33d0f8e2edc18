"""Keys taken out of use: whoever does so, the re-wrapping starts at once, and once (C5, C6)."""

from datetime import timedelta

import pytest

from apps.audit import verification
from apps.common import clock
from apps.common.errors import Refused
from apps.custody import retirement, rotations, tasks
from apps.files.keys.rewrap import waiting_count
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.jobs.store import JobTable
from apps.keys import rotation
from apps.keys import services as keys
from apps.keys.pool_records import PoolEmpty
from apps.keys.records import KeyState, RotationStatus, rotation_id_of
from qkdplatform import schedules
from tests import requirement
from tests.conftest import TESTS
from tests.console.pages import POOL, act, messages_of
from tests.custody.files import rows_under
from tests.faults import TELLING
from tests.keys.rewriting import rewritten
from tests.queues import into
from tests.threads import together


@pytest.fixture
def sent(monkeypatch, settings):
    """The messages that were sent, instead of a queue; nothing waits for an index that does not lag here."""
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 3
    ids: list[str] = []
    monkeypatch.setattr(tasks.rewrap_files, "apply_async", into(ids))
    return ids


def rotation_of(key):
    return rotation.find(rotation_id_of(key.key_id))


def retired(key, retire=retirement.rotate):
    """A key taken out of use, and the job that moves its files."""
    done = retire(key.key_id, reason="test", actor=TESTS)
    assert done.job is not None
    return done.key, done.job


def jobs_made():
    return [row.job_id for row in JobTable.scan()]


def over_the_api(key, request):
    request.getfixturevalue("admin_api").post(f"keys/{key.key_id}/rotate", {"reason": "test"})


def in_the_console(key, request):
    request.getfixturevalue("db")
    act(request.getfixturevalue("admin_client"), POOL, "revoke", [key.key_id], reason="test")


def by_the_schedule(key, request):
    rewritten(key, created_at=clock.now() - timedelta(days=31))
    schedules.rotate()


def by_a_raised_minimum(key, request):
    request.getfixturevalue("admin_api").post("pool/policy", {"minimum": 2})


@requirement("C5", "C6")
@pytest.mark.parametrize("way", [over_the_api, in_the_console, by_the_schedule, by_a_raised_minimum])
def test_whoever_takes_a_key_out_of_use_starts_its_rewrapping(request, pool, sent, way):
    rows_under(pool[0], 2)
    way(pool[0], request)
    found = rotation_of(pool[0])
    assert found.job_id in sent, "at once, without a sweep"
    tasks.rewrap_files(found.job_id)
    assert waiting_count(pool[0].key_id) == 0
    assert rotation_of(pool[0]).status is RotationStatus.DONE
    assert verification.verify().problems == []


@requirement("F2", "C6")
@pytest.mark.django_db
@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_the_console_names_the_job(admin_client, pool, sent, action):
    told = messages_of(act(admin_client, POOL, action, [pool[0].key_id], reason="test"))
    job_id = rotation_of(pool[0]).job_id
    assert any(str(job_id) in line and pool[0].key_id in line for line in told), told
    assert f"/admin/jobs/job/{job_id}/change/" in "".join(told)


@requirement("E1", "C6")
@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_the_api_names_the_job(admin_api, pool, sent, action):
    answer = admin_api.post(f"keys/{pool[0].key_id}/{action}", {"reason": "test"}).json()
    assert [answer["job_id"]] == sent == jobs_made()
    assert admin_api.get(f"jobs/{answer['job_id']}").json()["state"] == "queued"


@requirement("C6")
def test_of_many_who_start_a_rotation_at_once_one_does(pool, sent):
    rows_under(pool[0], 1)
    _, job = retired(pool[0])
    control.cancel(job.job_id, actor=TESTS)
    found = rotation_of(pool[0])
    ends = together(8, lambda: retirement.start(found.rotation_id, actor=TESTS))
    assert sorted(isinstance(end, Refused) for end in ends) == [False] + 7 * [True], ends
    (started,) = [end for end in ends if not isinstance(end, Refused)]
    assert sent == [job.job_id, started.job_id]
    assert set(jobs_made()) == set(sent)
    assert rotation_of(pool[0]).job_id == started.job_id


@requirement("C5", "C6")
def test_of_many_who_revoke_a_key_at_once_one_does_and_one_job_works(pool, sent):
    rows_under(pool[0], 1)
    ends = together(8, lambda: retirement.revoke(pool[0].key_id, reason="test", actor=TESTS))
    assert sorted(isinstance(end, Refused) for end in ends) == [False] + 7 * [True], ends
    assert [rotation_of(pool[0]).job_id] == sent == jobs_made()


@requirement("C5", "C6")
def test_rotating_and_revoking_at_once_leave_one_job(pool, sent):
    ways = iter([retirement.rotate, retirement.revoke] * 4)
    rows_under(pool[0], 1)
    together(8, lambda: next(ways)(pool[0].key_id, reason="test", actor=TESTS))
    assert keys.find(pool[0].key_id).state in {KeyState.ROTATION_QUEUED, KeyState.REVOKED}
    assert [rotation_of(pool[0]).job_id] == sent == jobs_made()


@requirement("C6")
def test_of_two_sweeps_at_once_one_starts_a_waiting_rotation(pool, sent, monkeypatch):
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 60)
    retired(pool[0])
    tasks.rewrap_files(sent.pop())  # it finds nothing: the index lags
    rows_under(pool[0], 1)
    assert sorted(together(4, lambda: retirement.start_waiting(actor=TESTS))) == [0, 0, 0, 1]
    assert [rotation_of(pool[0]).job_id] == sent


@requirement("C5", "C6")
def test_revoking_a_key_whose_rotation_was_cancelled_starts_it_again(pool, sent):
    rows_under(pool[0], 1)
    _, first = retired(pool[0])
    control.cancel(first.job_id, actor=TESTS)
    revoked, second = retired(pool[0], retirement.revoke)
    assert revoked.state is KeyState.REVOKED
    assert [first.job_id, second.job_id] == sent
    assert rotation_of(pool[0]).job_id == second.job_id


@requirement("C5", "C6")
def test_revoking_a_key_in_rotation_names_the_job_that_works(pool, sent):
    _, first = retired(pool[0])
    assert retired(pool[0], retirement.revoke)[1].job_id == first.job_id
    assert sent == [first.job_id]


@requirement("C5", "C6")
def test_a_key_that_was_never_active_is_revoked_without_a_job(pool, sent):
    rewritten(pool[0], state=KeyState.PRE_ACTIVE)
    assert retirement.revoke(pool[0].key_id, reason="test", actor=TESTS).job is None
    assert rotation.open_rotations() == []
    assert sent == jobs_made() == []


@requirement("C6")
@pytest.mark.parametrize("retire", [retirement.rotate, retirement.revoke])
def test_a_finished_rotation_names_its_successor_where_no_file_moved(pool, sent, retire):
    retire(pool[0].key_id, reason="test", actor=TESTS)
    tasks.rewrap_files(sent.pop())
    done = rotation_of(pool[0])
    assert done.status is RotationStatus.DONE
    assert keys.find(str(done.new_key_id)).state is KeyState.ACTIVE
    assert done.new_key_id != pool[0].key_id


@requirement("C6")
def test_without_any_other_key_a_rotation_is_not_finished_before_there_is_one(aws, sent, monkeypatch):
    (only,) = keys.create(1, actor=TESTS)
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 60)
    monkeypatch.setattr(keys, "refill_after", lambda *_, **__: None)  # as where no key can be made
    retirement.rotate(only.key_id, reason="test", actor=TESTS, below_low_water=True)
    tasks.rewrap_files(sent.pop())
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    with pytest.raises(ExceptionGroup) as failed:
        retirement.start_waiting(actor=TESTS)
    assert [type(error) for error in failed.value.exceptions] == [PoolEmpty]
    assert rotation_of(only).status is RotationStatus.OPEN
    (other,) = keys.create(1, actor=TESTS)
    retirement.start_waiting(actor=TESTS)
    assert (rotation_of(only).status, rotation_of(only).new_key_id) == (RotationStatus.DONE, other.key_id)


@requirement("C5", "C6", "I1")
@pytest.mark.parametrize("fault", TELLING)
def test_no_failed_call_leaves_a_key_out_of_use_without_a_job(pool, sent, fault, each_call):
    def prepare():
        (key,) = keys.create(1, actor=TESTS)
        rows_under(key, 1)
        return key

    def attempt(key):
        retirement.revoke(key.key_id, reason="test", actor=TESTS)

    for call, key in each_call("take a key out of use", fault, prepare, attempt):
        if keys.find(key.key_id).state is KeyState.ACTIVE:
            assert rotation.open_rotations() == [], call
            attempt(key)
        job_id = str(rotation_of(key).job_id)
        assert jobs.find(job_id, actor=TESTS).state is JobState.QUEUED, call
        tasks.rewrap_files(job_id)  # the sweep sends it where that was lost
        assert waiting_count(key.key_id) == 0, call
        assert rotation_of(key).status is RotationStatus.DONE, call
    assert verification.verify().problems == []
