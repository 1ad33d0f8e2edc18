"""A worker killed between any two of its calls: nothing of it reaches AWS any more, and the job is done in the end."""

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
from tests.fault_table import PROPERTY
from tests.faults import watched
from tests.queues import die, into

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SMALL = GenerateRequest(key_length=64, error_rate=0.01)
MOST_DELIVERIES = 5


class Killed(BaseException):
    """The worker's process is gone."""


@contextmanager
def killed(after, *, of=()):
    """Let so many calls through, then nothing: as between two calls the worker does nothing that lasts, these are all points.

    Counted are calls whose operation begins with one of ``of``, or all.
    """
    calls: list[str] = []

    def around(call, client, operation, arguments):
        if len(calls) > after:
            raise Killed
        if of and not operation.startswith(of):
            return call(client, operation, arguments)
        calls.append(operation)
        if len(calls) > after:
            raise Killed
        return call(client, operation, arguments)

    with watched(around):
        yield calls


def deliver_until_ended(task, job_id, passes=lambda: None):
    """Deliver a job's message again and again; ``passes`` is the time between two."""
    for _ in range(MOST_DELIVERIES):
        job = services.get(job_id)
        assert job is not None
        if job.state.ended:
            return job
        die(job_id)
        task(job_id)
        passes()
    return services.get(job_id)


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    for task in (tasks.generate_batch, custody.rewrap_files):
        monkeypatch.setattr(task, "apply_async", into(ids))
    return ids


@requirement("A9", "C6", "I4")
def test_a_batch_killed_at_any_call_makes_each_session_once(aws, sent, record_property):
    for after in count():
        job = tasks.generate_later(SMALL, count=2, actor=TESTS)
        before = {one.session_id for one in sessions.listed(actor=TESTS, limit=200).records}
        with killed(after) as calls, suppress(Killed):
            tasks.generate_batch(job.job_id)
        ended = deliver_until_ended(tasks.generate_batch, job.job_id)
        assert ended.state is JobState.SUCCEEDED, f"{after}: {calls[-1]}"
        made = {one.session_id for one in sessions.listed(actor=TESTS, limit=200).records} - before
        assert set(results.with_first(ended).results["session_ids"]) == made, f"{after}: {calls[-1]}"
        assert len(made) == 2
        if len(calls) <= after:
            break
    record_property(PROPERTY, ("job generate, killed", after, 0))


@requirement("C5", "C6", "I5")
def test_a_rotation_killed_at_any_call_is_finished(pool, sent, settings, monkeypatch, record_property):
    settings.REWRAP_PER_SECOND = 1_000_000
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    key = pool[0]
    for after in count():
        rows_under(key, 2)
        retirement.revoke(key.key_id, reason="test", below_low_water=True, actor=TESTS)
        job_id = sent[-1]
        with killed(after) as calls, suppress(Killed):
            custody.rewrap_files(job_id)
        ended = deliver_until_ended(custody.rewrap_files, job_id)
        assert ended.state is JobState.SUCCEEDED, f"{after}: {calls[-1]}"
        found = rotation.find(rotation_id_of(key.key_id))
        assert found.status is RotationStatus.DONE, f"{after}: {calls[-1]}"
        if len(calls) <= after:
            break
        key = keys.find(str(found.new_key_id))
    record_property(PROPERTY, ("job rewrap, killed", after, 0))
