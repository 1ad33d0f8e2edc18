"""Batches in the background: recorded first, continued after a crash, harmless when delivered twice (A9, C6)."""

import time

import pytest
from django.conf import settings

from apps.common.errors import Invalid
from apps.jobs import control, heartbeats, results
from apps.jobs import services as jobs
from apps.jobs.records import SILENT_SECONDS, JobState
from apps.jobs.store import JobTable, ResultTable
from apps.links import services as links
from apps.sessions import services, tasks
from apps.sessions.records import Session
from apps.sessions.services import GenerateRequest
from apps.sessions.store import SessionTable
from qkd import session
from tests import requirement
from tests.conftest import TESTS
from tests.faults import TELLING, Fault, injected
from tests.queues import die, into
from tests.tables import rows
from tests.waiting import wait_for
from tests.write_units import counted_units

REQUEST = GenerateRequest(key_length=64, error_rate=0.01)


@pytest.fixture
def sent(monkeypatch):
    """The job ids that were put on the queue."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(ids))
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
    """The job as the API shows it."""
    return results.with_first(jobs.find(job.job_id, actor=TESTS))


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
    hidden: list[str] = []
    monkeypatch.setattr(heartbeats, "keep_hidden", lambda _request, queue: hidden.append(queue))
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(heartbeats, "HIDDEN_SECONDS", 1e9)
    tasks.generate_batch(job.job_id)
    assert hidden == [settings.JOBS_QUEUE], "at the start, and not before its time is over"
    again = tasks.generate_later(REQUEST, count=3, actor=TESTS)
    monkeypatch.setattr(heartbeats, "HIDDEN_SECONDS", 0)
    real = services.generate

    def slowly(*arguments, **named):
        before = len(hidden)
        wait_for(lambda: len(hidden) > before)
        return real(*arguments, **named)

    monkeypatch.setattr(services, "generate", slowly)
    tasks.generate_batch(again.job_id)
    assert len(hidden) >= 2 + 3


@requirement("C6", "A9")
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_killed_worker_s_job_goes_on_where_it_was(job, monkeypatch, steps):
    real = killed_after(monkeypatch, steps)
    with pytest.raises(Killed):
        tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.RUNNING
    assert len(now(job).results["session_ids"]) == steps, "each is named as soon as it is kept"
    before = set(now(job).results.get("session_ids", []))
    monkeypatch.setattr(services, "generate", real)
    die(job.job_id)
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


@requirement("C6", "A9")
def test_a_message_delivered_while_the_job_runs_leaves_it_to_its_worker(job, sent, monkeypatch):
    """SQS delivers what could not be kept hidden again: nothing is made twice."""
    real = services.generate

    def generate(*arguments, **named):
        tasks.generate_batch(job.job_id)
        return real(*arguments, **named)

    monkeypatch.setattr(services, "generate", generate)
    tasks.generate_batch(job.job_id)
    ended = now(job)
    assert (ended.state, ended.done) == (JobState.SUCCEEDED, 3)
    assert set(ended.results["session_ids"]) == sessions_made()
    assert len(sessions_made()) == 3


@requirement("C6", "A9")
def test_a_job_taken_over_from_a_silent_worker_makes_no_session_twice(job, monkeypatch):
    """The first worker was only held up, and comes back with a session that another has made meanwhile."""
    real = session.run

    def run(*arguments, **named):
        made = real(*arguments, **named)
        if len(sessions_made()) == 1:
            monkeypatch.setattr(session, "run", real)
            die(job.job_id)
            tasks.generate_batch(job.job_id)
        return made

    monkeypatch.setattr(session, "run", run)
    tasks.generate_batch(job.job_id)
    ended = now(job)
    assert (ended.state, ended.done) == (JobState.SUCCEEDED, 3)
    assert set(ended.results["session_ids"]) == sessions_made()
    assert len(sessions_made()) == 3


@requirement("C6")
def test_a_message_shown_while_the_worker_may_have_died_is_shown_again(job, sent, later):
    control.start(job.job_id)
    sent.clear()
    tasks.generate_batch(job.job_id)
    assert sent == [], "its heartbeat came just now"
    later(seconds=SILENT_SECONDS / 2)
    tasks.generate_batch(job.job_id)
    assert sent == [job.job_id]


@requirement("C6", "I8")
def test_a_job_that_fails_says_so_without_the_cause_and_keeps_what_it_made(job, monkeypatch):
    real = services.generate
    made: list[Session] = []

    def generate(*arguments, **named):
        if made:
            raise RuntimeError("the secret is swordfish")
        made.append(real(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(services, "generate", generate)
    tasks.generate_batch(job.job_id)
    failed = now(job)
    assert (failed.state, failed.done) == (JobState.FAILED, 1)
    assert failed.error
    assert "swordfish" not in failed.error
    assert failed.results["session_ids"] == [made[0].session_id]


@requirement("C6")
def test_a_message_of_an_unknown_job_is_dropped(aws):
    tasks.generate_batch("no such job")
    assert sessions_made() == set()


@requirement("A9", "I4")
def test_a_job_whose_message_could_not_be_sent_is_accepted_and_sent_by_the_sweep(api, monkeypatch):
    def unreachable(_, **options):
        raise OSError("no queue today")

    monkeypatch.setattr(tasks.generate_batch, "apply_async", unreachable)
    answer = api.post("qkd/batches", {"count": 2, "key_length": 64})
    assert answer.status_code == 202, answer.content
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
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


@requirement("A9", "I6")
def test_the_results_of_a_batch_are_paged(api, other_api, sent):
    job_id = api.post("qkd/batches", {"count": 7, "key_length": 64}).json()["job_id"]
    tasks.generate_batch(job_id)
    numbers: list[int] = []
    made: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"jobs/{job_id}/results?limit=3{cursor and '&cursor=' + cursor}").json()
        numbers += [one["number"] for one in page["items"]]
        made += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert numbers == list(range(6, -1, -1))
    assert set(made) == sessions_made()
    assert api.get(f"jobs/{job_id}").json()["results"]["session_ids"] == made[::-1]
    assert api.get("jobs").json()["items"][0]["results"] == {}, "a list does not name them"
    assert other_api.get(f"jobs/{job_id}/results").status_code == 404


@requirement("E4")
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_fails_in_a_batch_each_session_is_made_and_named_once(aws, sent, fault, each_call):
    def prepare():
        return tasks.generate_later(REQUEST, count=2, actor=TESTS)

    for place, job in each_call("run a batch", fault, prepare, lambda job: tasks.generate_batch(job.job_id)):
        while not now(job).state.ended:
            die(job.job_id)
            tasks.generate_batch(job.job_id)
        assert (now(job).state, now(job).done) == (JobState.SUCCEEDED, 2), place
        named = {item["subject"]["S"] for item in rows(ResultTable.Meta.table_name)}
        assert named == sessions_made(), place


@requirement("E4", "I6")
def test_a_session_of_a_large_batch_costs_what_one_of_a_small_batch_does(aws, sent):
    """Write units of the job, its lists and its results, a session; with one growing list they were 25.8 at 400."""

    def cost(count):
        job = tasks.generate_later(REQUEST, count=count, actor=TESTS)
        started = time.monotonic()
        with counted_units(single=True) as found:
            tasks.generate_batch(job.job_id)
        reports = time.monotonic() - started  # one a second
        of_jobs = {name: units for name, units in found.items() if "-jobs" in name or "-job-" in name}
        once = 3 * 5 + 5  # the start, the place, the end and its lists
        assert sum(of_jobs.values()) <= 2 * count + 3 * (reports + 1) + once, of_jobs
        assert of_jobs[ResultTable.Meta.table_name] == 2 * count

    cost(4)
    cost(60)
