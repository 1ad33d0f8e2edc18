"""A worker killed before or after any of its calls: nothing of it reaches AWS any more, and the job is done in the end."""

from contextlib import contextmanager, suppress
from itertools import count

import pytest

from apps.custody import retirement, rotations
from apps.custody import tasks as custody
from apps.jobs import results, services
from apps.jobs.records import JobState
from apps.keys import rotation
from apps.keys import services as keys
from apps.keys.records import RotationStatus, rotation_id_of
from apps.sessions import services as sessions
from apps.sessions import tasks
from apps.sessions.services import GenerateRequest
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import rows_under
from tests.faults import watched
from tests.queues import die, into

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SMALL = GenerateRequest(key_length=64, error_rate=0.01)
MOST_DELIVERIES = 5


class Killed(BaseException):
    """The worker's process is gone."""


@contextmanager
def killed(nth, *, after, of=()):
    """From the ``nth`` call on nothing is sent; that one itself only where it is killed after it.

    Counted are calls whose operation begins with one of ``of``, or all.
    """
    calls: list[str] = []

    def around(call, client, operation, arguments):
        if of and len(calls) < nth and not operation.startswith(of):
            return call(client, operation, arguments)
        calls.append(operation)
        if len(calls) == nth and after:
            call(client, operation, arguments)
        if len(calls) >= nth:
            raise Killed
        return call(client, operation, arguments)

    with watched(around):
        yield calls


def deliver_until_ended(task, job_id):
    for _ in range(MOST_DELIVERIES):
        job = services.get(job_id)
        assert job is not None
        if job.state.ended:
            return job
        die(job_id)
        task(job_id)
    return services.get(job_id)


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    for task in (tasks.generate_batch, custody.rewrap_files):
        monkeypatch.setattr(task, "apply_async", into(ids))
    return ids


@requirement("A9", "C6", "I4")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_batch_killed_at_any_call_makes_each_session_once(aws, sent, after):
    for nth in count(1):
        job = tasks.generate_later(SMALL, count=2, actor=TESTS)
        before = {one.session_id for one in sessions.listed(actor=TESTS, limit=200).records}
        with killed(nth, after=after) as calls, suppress(Killed):
            tasks.generate_batch(job.job_id)
        ended = deliver_until_ended(tasks.generate_batch, job.job_id)
        assert ended.state is JobState.SUCCEEDED, f"{nth}: {calls[-1]}"
        made = {one.session_id for one in sessions.listed(actor=TESTS, limit=200).records} - before
        assert set(results.with_first(ended).results["session_ids"]) == made, f"{nth}: {calls[-1]}"
        assert len(made) == 2
        if len(calls) < nth:
            return


@requirement("C5", "C6", "I5")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_rotation_killed_at_any_call_is_finished(pool, sent, settings, monkeypatch, after):
    settings.REWRAP_PER_SECOND = 1_000_000
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    key = pool[0]
    for nth in count(1):
        rows_under(key, 2)
        retirement.revoke(key.key_id, reason="test", below_low_water=True, actor=TESTS)
        job_id = sent[-1]
        with killed(nth, after=after) as calls, suppress(Killed):
            custody.rewrap_files(job_id)
        ended = deliver_until_ended(custody.rewrap_files, job_id)
        assert ended.state is JobState.SUCCEEDED, f"{nth}: {calls[-1]}"
        found = rotation.find(rotation_id_of(key.key_id))
        assert found.status is RotationStatus.DONE, f"{nth}: {calls[-1]}"
        if len(calls) < nth:
            return
        key = keys.find(str(found.new_key_id))
