"""Jobs change as the table of transitions says and in no other way: raced, interrupted, delivered twice (A9, C6, I4)."""

from dataclasses import replace
from itertools import product
from threading import Barrier, Thread

import pytest

from apps.audit import services as audit
from apps.audit import verification
from apps.common import clock
from apps.common.errors import Refused
from apps.jobs import console, control, diagram, store
from apps.jobs import services as jobs
from apps.jobs.control import JobCancelled, JobTakenOver
from apps.jobs.records import TRANSITIONS, JobState
from apps.jobs.store import JobTable
from apps.jobs.trail import JobEvent
from apps.sessions.job_kinds import SessionJob
from tests import requirement
from tests.conftest import TESTS
from tests.faults import TELLING
from tests.queues import die
from tests.tables import save

ROUNDS = 25


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch):
    monkeypatch.setattr("apps.jobs.kinds.send", lambda *_, **__: None)


def queued():
    return jobs.enqueue(SessionJob.GENERATE, total=3, parameters={}, actor=TESTS)


def now(job):
    found = jobs.get(job.job_id)
    assert found is not None
    return found


def started(job=None):
    """A job as the worker knows it that has started it."""
    found = control.start((job or queued()).job_id)
    assert found is not None
    return found


def in_state(state):
    """A job in a state, with the heartbeat of a worker that is gone."""
    job = replace(queued(), state=state, run="a run", heard_at=clock.ago(100_000))
    return save(JobTable.of(job))


def as_its_worker_knows_it(job):
    return replace(job, state=JobState.RUNNING)


BY_NAME = {
    "start": lambda job: control.start(job.job_id),
    "cancel": lambda job: control.cancel(job.job_id, actor=TESTS),
    "succeed": lambda job: control.end(as_its_worker_knows_it(job)),
    "hand_over": lambda job: control.hand_over(as_its_worker_knows_it(job)),
    "postpone": lambda job: control.postpone(as_its_worker_knows_it(job), why="No answer."),
    "fail": lambda job: control.end(as_its_worker_knows_it(job), error="it failed"),
    "resend": lambda job: jobs.enqueue_once(
        SessionJob.GENERATE, job_id=job.job_id, total=3, parameters={}, actor=TESTS
    ),
}


@requirement("A9", "I4")
@pytest.mark.parametrize(("name", "source"), list(product(BY_NAME, JobState)), ids=str)
def test_a_call_makes_exactly_the_transitions_of_the_table(aws, name, source):
    job = in_state(source)
    targets = [one.target for one in TRANSITIONS if one.name == name and one.source is source]
    if name == "cancel" and not targets:
        with pytest.raises(Refused, match=f"is {source} and cannot be cancelled"):
            BY_NAME[name](job)
    else:
        BY_NAME[name](job)
    assert now(job).state is (targets[0] if targets else source)
    if source.ended and not targets:
        assert now(job) == job, "nothing of an ended job changes"


@requirement("A9")
def test_every_transition_of_the_table_is_made_by_a_call():
    assert {one.name for one in TRANSITIONS} == set(BY_NAME)


@requirement("A9")
def test_the_documentation_shows_states_and_kinds(settings):
    written = (settings.BASE_DIR / "docs/job-states.md").read_text(encoding="utf-8")
    assert written == diagram.page(), "run manage.py pages"
    for one in TRANSITIONS:
        assert f"{one.source} --> {one.target}: {one.name}" in written


@requirement("F5")
def test_every_state_has_a_colour_in_the_console():
    assert set(JobState) == console.TONES.keys()


@requirement("A9", "I4")
def test_a_job_that_is_cancelled_while_it_is_started_stays_cancelled(aws, monkeypatch):
    job, find = queued(), JobTable.find

    def found_just_before_the_cancellation(job_id):
        found = find(job_id)
        monkeypatch.setattr(JobTable, "find", find)
        control.cancel(job.job_id, actor=TESTS)
        return found

    monkeypatch.setattr(JobTable, "find", found_just_before_the_cancellation)
    assert control.start(job.job_id) is None
    assert now(job).state is JobState.CANCELLED


@requirement("A9", "I4")
@pytest.mark.parametrize("error", [None, "it failed"])
def test_a_worker_that_was_silent_does_not_end_what_was_cancelled_meanwhile(aws, error):
    under_way = started()
    JobTable.of(under_way).update([JobTable.heard_at.set(clock.ago(100_000))])
    assert control.cancel(under_way.job_id, actor=TESTS).state is JobState.CANCELLED
    with pytest.raises(JobCancelled):
        control.report(under_way, done=1)
    before = now(under_way)
    control.end(under_way, error=error)
    assert now(under_way) == before


@requirement("A9", "I4")
def test_work_that_fails_after_it_was_cancelled_is_cancelled_and_not_sent_again(aws):
    under_way = started()
    control.cancel(under_way.job_id, actor=TESTS)
    control.end(under_way, error="it failed")
    ended = now(under_way)
    assert (ended.state, ended.error) == (JobState.CANCELLED, "it failed")
    BY_NAME["resend"](under_way)
    assert now(under_way).state is JobState.CANCELLED


@requirement("A9")
def test_a_cancellation_is_recorded_once_and_seen_at_the_next_report(aws):
    under_way = started()
    for _ in range(2):
        assert control.cancel(under_way.job_id, actor=TESTS).cancel_requested
    with pytest.raises(JobCancelled):
        control.report(under_way, done=2, results={"session_ids": ["a", "b"]})
    ended = now(under_way)
    assert (ended.state, ended.done, ended.results) == (JobState.CANCELLED, 2, {"session_ids": ["a", "b"]})
    assert ended.ended_at is not None
    entries = [one.event for one in audit.entries_page(limit=50).records]
    assert entries.count(JobEvent.CANCELLED) == 1


@requirement("C6", "I4")
def test_a_job_is_left_to_its_worker_and_taken_over_once_that_is_silent(aws):
    first = started()
    assert control.start(first.job_id) is None
    die(first.job_id)
    second = started(first)
    with pytest.raises(JobTakenOver):
        control.report(first, done=1)
    control.end(first)
    assert (now(first).state, now(first).done) == (JobState.RUNNING, 0)
    control.end(control.report(second, done=3))
    assert (now(first).state, now(first).done) == (JobState.SUCCEEDED, 3)


def work(job_id):
    """Start, report and end; how the worker saw it end."""
    try:
        started = control.start(job_id)
        if started is None:
            return "nothing to do"
        control.end(control.report(started, done=3))
    except JobCancelled:
        return "cancelled"
    except JobTakenOver:
        return "taken over"
    return "done"


def cancelled(job_id):
    try:
        return control.cancel(job_id, actor=TESTS).state
    except Refused as error:
        return error.detail


@requirement("A9", "C6", "I4")
def test_start_cancel_and_end_raced_by_threads_leave_what_their_callers_were_told(aws):
    ends = set()
    for number in range(ROUNDS):
        job = queued()
        told: dict[str, object] = {}
        gate = Barrier(3)

        def run(name, call, gate=gate, told=told, job=job):
            gate.wait()
            told[name] = call(job.job_id)

        threads = [
            Thread(target=run, args=("worker", work)),
            Thread(target=run, args=("second", work if number % 2 else lambda _job_id: "idle")),
            Thread(target=run, args=("cancel", cancelled)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        end = now(job)
        ends.add(end.state)
        workers = {told["worker"], told["second"]}
        assert end.state in {JobState.CANCELLED, JobState.SUCCEEDED}, told
        if told["cancel"] is JobState.CANCELLED or "cancelled" in workers:
            assert end.state is JobState.CANCELLED, told
        if end.state is JobState.CANCELLED:
            assert end.cancel_requested
            assert "done" not in workers or number % 2, "but for one that was taken over"
        assert end.ended_at is not None
        assert [one.job_id for one in store.unfinished()] == []
        control.start(job.job_id)
        assert now(job) == end, "what ended does not come back"
    assert JobState.CANCELLED in ends


@requirement("A9", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_fails_a_job_ends_once_its_message_is_delivered_again(aws, fault, each_call):
    for place, job in each_call("work on a job", fault, queued, lambda job: work(job.job_id)):
        state = now(job).state
        assert state in {JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED}, place
        assert state is JobState.SUCCEEDED or job.job_id in {one.job_id for one in store.unfinished()}, place
        die(job.job_id)
        work(job.job_id)
        assert (now(job).state, now(job).done) == (JobState.SUCCEEDED, 3), place


@requirement("A9", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_fails_a_failed_job_can_be_sent_again(aws, fault, each_call, monkeypatch):
    monkeypatch.setattr(jobs, "RESENT_FIRST", 0)
    for place, job in each_call(
        "fail a job", fault, started, lambda job: control.end(job, error="it failed")
    ):
        assert now(job).state in {JobState.RUNNING, JobState.FAILED}, place
        control.end(job, error="it failed")
        assert now(job).state is JobState.FAILED, place
        BY_NAME["resend"](job)
        work(job.job_id)
        assert now(job).state is JobState.SUCCEEDED, place


@requirement("A9", "C6")
def test_a_job_that_fails_again_and_again_is_sent_again_after_ever_longer_waits(aws, later):
    job, waited = queued(), []
    for _ in range(12):
        started_again = control.start(job.job_id)
        assert started_again is not None
        control.end(started_again, error="it failed")
        hours = 0
        while now(job).state is JobState.FAILED:
            later(hours=1)
            hours += 1
            BY_NAME["resend"](job)
        waited.append(hours)
    assert waited == sorted(waited)
    assert (waited[0], waited[-1]) == (1, 24)


@requirement("A9", "I1", "I4")
@pytest.mark.parametrize("under_way", [False, True])
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_fails_a_cancellation_holds_once_it_is_asked_for_again(
    aws, fault, under_way, each_call
):
    def prepare():
        return started() if under_way else queued()

    def attempt(job):
        control.cancel(job.job_id, actor=TESTS)

    name = "cancel a job under way" if under_way else "cancel a job that waits"
    for place, job in each_call(name, fault, prepare, attempt):
        cancelled(job.job_id)
        if under_way:
            with pytest.raises(JobCancelled):
                control.report(job, done=1)
        assert now(job).state is JobState.CANCELLED, place
        assert work(job.job_id) == "nothing to do", place
    assert verification.verify().problems == []


@requirement("A9", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_fails_a_cancelled_worker_s_job_ends_as_cancelled(aws, fault, each_call):
    def prepare():
        under_way = started()
        control.cancel(under_way.job_id, actor=TESTS)
        return under_way

    for place, job in each_call("see a cancellation", fault, prepare, lambda job: work(job.job_id)):
        die(job.job_id)
        work(job.job_id)
        assert now(job).state is JobState.CANCELLED, place
