"""Batches in the background: recorded first, continued after a crash, harmless when delivered twice (A9, C6)."""

import pytest

from apps.common.errors import Invalid
from apps.jobs import control, running
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.jobs.store import JobTable
from apps.links import services as links
from apps.sessions import services, tasks
from apps.sessions.records import Session
from apps.sessions.services import GenerateRequest
from apps.sessions.store import SessionTable
from tests import requirement
from tests.conftest import TESTS
from tests.faults import Fault, injected
from tests.tables import rows

REQUEST = GenerateRequest(key_length=64, error_rate=0.01)


@pytest.fixture
def sent(monkeypatch):
    """The job ids that were put on the queue."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "delay", ids.append)
    return ids


@pytest.fixture
def job(aws, sent):
    """A job of three sessions, queued."""
    return tasks.generate_later(REQUEST, count=3, actor=TESTS)


class Killed(BaseException):
    """The worker's process is gone: nothing of it runs any more."""


def killed_after(monkeypatch, steps):
    """The worker dies while it runs session number ``steps + 1``."""
    real = services.generate
    made: list[Session] = []

    def generate(*arguments, **named):
        if len(made) == steps:
            raise Killed
        made.append(real(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(services, "generate", generate)
    return real


def now(job):
    return jobs.find(job.job_id, actor=TESTS)


def sessions_made():
    return {item["session_id"]["S"] for item in rows(SessionTable.Meta.table_name)}


@requirement("A9")
def test_a_batch_runs_to_its_end(job, sent):
    assert sent == [job.job_id]
    assert now(job).state is JobState.QUEUED
    tasks.generate_batch(job.job_id)
    done = now(job)
    assert (done.state, done.done, done.error) == (JobState.SUCCEEDED, 3, None)
    assert set(done.results["session_ids"]) == sessions_made()
    assert done.started_at is not None
    assert done.ended_at is not None
    assert done.started_at <= done.ended_at


@requirement("C6")
def test_the_message_of_a_long_batch_is_kept_hidden_while_sessions_are_made(job, monkeypatch):
    hidden: list[object] = []
    monkeypatch.setattr(running, "keep_hidden", hidden.append)
    tasks.generate_batch(job.job_id)
    assert len(hidden) == 1, "at the start; three sessions take less than a minute"
    again = tasks.generate_later(REQUEST, count=3, actor=TESTS)
    monkeypatch.setattr(running, "HIDDEN_SECONDS", 0)
    tasks.generate_batch(again.job_id)
    assert len(hidden) == 1 + 4


@requirement("C6", "A9")
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_killed_worker_s_job_goes_on_where_it_was(job, monkeypatch, steps):
    real = killed_after(monkeypatch, steps)
    with pytest.raises(Killed):
        tasks.generate_batch(job.job_id)
    assert (now(job).state, now(job).done) == (JobState.RUNNING, steps)
    before = set(now(job).results.get("session_ids", []))
    monkeypatch.setattr(services, "generate", real)
    tasks.generate_batch(job.job_id)
    assert (now(job).state, now(job).done) == (JobState.SUCCEEDED, 3)
    assert before <= set(now(job).results["session_ids"])
    assert len(sessions_made()) == 3


@requirement("C6")
def test_a_message_delivered_after_the_end_does_nothing(job):
    tasks.generate_batch(job.job_id)
    ended = now(job)
    tasks.generate_batch(job.job_id)
    assert now(job) == ended
    assert len(sessions_made()) == 3


@requirement("C6")
def test_a_message_delivered_while_the_job_runs_makes_at_most_one_session_too_many(job, monkeypatch):
    """SQS delivers again what takes longer than its visibility time-out; the second worker gives up."""
    real = services.generate

    def generate(*arguments, **named):
        made = real(*arguments, **named)
        if len(sessions_made()) == 2:
            monkeypatch.setattr(services, "generate", real)
            tasks.generate_batch(job.job_id)  # beside the first, and faster
        return made

    monkeypatch.setattr(services, "generate", generate)
    tasks.generate_batch(job.job_id)
    ended = now(job)
    assert (ended.state, ended.done, len(ended.results["session_ids"])) == (JobState.SUCCEEDED, 3, 3)
    assert len(sessions_made()) == 4
    assert set(ended.results["session_ids"]) <= sessions_made()


@requirement("C6", "I8")
def test_a_job_that_fails_says_so_without_the_cause_and_keeps_what_it_made(job, monkeypatch):
    real = services.generate
    made: list[Session] = []

    def generate(*arguments, **named):
        if made:
            raise RuntimeError("the secret is 42")
        made.append(real(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(services, "generate", generate)
    tasks.generate_batch(job.job_id)
    failed = now(job)
    assert (failed.state, failed.done) == (JobState.FAILED, 1)
    assert failed.error
    assert "42" not in failed.error
    assert failed.results["session_ids"] == [made[0].session_id]


@requirement("C6")
def test_a_message_of_an_unknown_job_is_dropped(aws):
    tasks.generate_batch("no such job")
    assert sessions_made() == set()


@requirement("A9", "I4")
def test_a_job_whose_message_could_not_be_sent_is_accepted_and_sent_by_the_sweep(api, monkeypatch):
    def unreachable(_):
        raise OSError("no queue today")

    monkeypatch.setattr(tasks.generate_batch, "delay", unreachable)
    answer = api.post("qkd/batches", {"count": 2, "key_length": 64})
    assert answer.status_code == 202, answer.content
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "delay", sent.append)
    assert jobs.send_lost(seconds=-1) == 1
    assert sent == [answer.json()["job_id"]]


@requirement("A9", "I4")
def test_only_jobs_that_nobody_started_are_sent_again(job, sent):
    sent.clear()
    assert jobs.send_lost(seconds=3600) == 0, "its message may still be on its way"
    assert jobs.send_lost(seconds=-1) == 1
    control.start(job.job_id)
    assert jobs.send_lost(seconds=-1) == 0
    assert sent == [job.job_id]


@requirement("I1", "D1")
def test_a_job_that_cannot_be_audited_is_neither_kept_nor_sent(aws, sent):
    with (
        injected(Fault.REFUSED, operation="TransactWriteItems"),
        pytest.raises(Exception, match="nothing was"),
    ):
        tasks.generate_later(REQUEST, count=1, actor=TESTS)
    assert (sent, rows(JobTable.Meta.table_name)) == ([], [])


@requirement("A9", "I8")
def test_what_the_engine_would_refuse_is_not_queued(aws, sent):
    with pytest.raises(Invalid):
        tasks.generate_later(GenerateRequest(key_length=1), count=1, actor=TESTS)
    assert sent == []


@requirement("A9")
def test_a_session_that_would_take_too_long_becomes_a_job(api, sent, settings):
    settings.GENERATE_LIMIT_SECONDS = 0
    links.make("far", name="To the far site", users=[str(api.actor)], actor=TESTS)
    answer = api.post("qkd/generate", {"key_length": 256, "error_rate": 0.02, "link": "far"})
    assert answer.status_code == 202, answer.content
    accepted = answer.json()
    assert (accepted["state"], accepted["total"], accepted["done"]) == ("queued", 1, 0)
    assert sessions_made() == set()
    tasks.generate_batch(*sent)
    job = api.get(f"jobs/{accepted['job_id']}").json()
    assert job["state"] == "succeeded"
    session = api.get(f"qkd/session/{job['results']['session_ids'][0]}").json()
    assert (session["link"], session["key_length"]) == ("far", 256), "it is the caller's own"


@requirement("I9")
def test_a_job_of_another_is_as_unknown_as_none(api, other_api, admin_api, sent):
    job = api.post("qkd/batches", {"count": 1}).json()
    foreign = other_api.get(f"jobs/{job['job_id']}")
    assert foreign.status_code == 404
    assert foreign.content.replace(job["job_id"].encode(), b"0") == other_api.get("jobs/0").content
    assert other_api.get("jobs").json()["items"] == []
    assert [found["job_id"] for found in admin_api.get("jobs").json()["items"]] == [job["job_id"]]


@requirement("I2")
def test_the_queue_carries_nothing_but_the_job_s_id(job, sent):
    """What a worker needs it reads from the table."""
    assert sent == [job.job_id]
    assert job.parameters == REQUEST.as_document()
