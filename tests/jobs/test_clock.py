"""A clock that is set back: what was noted by it before lies ahead, and nobody waits until then (C6)."""

import pytest

from apps.common import clock, turns
from apps.jobs import control, shares, stuck
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.sessions import services, tasks
from apps.sessions.services import GenerateRequest
from tests import requirement
from tests.conftest import TESTS
from tests.queues import into

SMALL = GenerateRequest(key_length=64, error_rate=0.01)
BACK = {"days": -1, "hours": -2}


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(ids))
    return ids


@pytest.fixture
def job(aws, sent):
    return tasks.generate_later(SMALL, count=1, actor=TESTS)


def state(job):
    found = jobs.get(job.job_id)
    assert found is not None
    return found.state


@requirement("C6")
def test_a_job_whose_worker_died_by_the_other_clock_is_taken_up(job, sent, later):
    control.start(job.job_id)
    sent.clear()
    later(**BACK)
    assert (jobs.send_lost(), sent) == (1, [job.job_id])
    tasks.generate_batch(job.job_id)
    assert state(job) is JobState.SUCCEEDED


@requirement("C6", "I11")
def test_it_keeps_no_place_among_the_workers(job, settings, later):
    settings.JOBS_RUNNING_PER_PRINCIPAL = 1
    started = control.start(job.job_id)
    assert started is not None
    assert shares.take_place(started)
    other = tasks.generate_later(SMALL, count=1, actor=TESTS)
    assert not shares.has_room(other)
    later(**BACK)
    assert shares.has_room(other)


@requirement("C6", "A9")
def test_it_can_be_cancelled_and_is_told(job, later):
    control.start(job.job_id)
    later(**BACK)
    assert [one.what for one in stuck._jobs()] == ["silent jobs"]
    assert control.cancel(job.job_id, actor=TESTS).state is JobState.CANCELLED


@requirement("C6")
@pytest.mark.parametrize("postponed", [False, True], ids=["queued", "postponed"])
def test_a_job_that_waits_by_the_other_clock_is_sent_again(job, sent, later, postponed):
    if postponed:
        started = control.start(job.job_id)
        assert started is not None
        control.postpone(started, why="No answer.")
    sent.clear()
    later(**BACK)
    assert (jobs.send_lost(), sent) == (1, [job.job_id])


@requirement("C6")
def test_a_worker_that_lives_while_the_clock_is_set_ends_its_job(job, later, monkeypatch):
    real = services.generate

    def generate(*arguments, **named):
        later(**BACK)
        return real(*arguments, **named)

    monkeypatch.setattr(services, "generate", generate)
    tasks.generate_batch(job.job_id)
    assert state(job) is JobState.SUCCEEDED


@requirement("I11")
def test_a_turn_taken_by_the_other_clock_is_free(aws, later):
    assert turns.take("sweep", "part") is not None
    assert turns.take("sweep", "part") is None
    later(**BACK)
    assert turns.take("sweep", "part") is not None


@pytest.mark.parametrize(
    ("ago", "recent"), [(0, True), (9, True), (11, False), (-9, True), (-11, False), (-90_000, False)]
)
def test_a_moment_is_recent_near_now_on_either_side(ago, recent):
    assert clock.is_recent(clock.ago(ago), seconds=10) is recent
