"""One principal's jobs never stop another's, nor custody's (I11)."""

import queue
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from apps.audit.records import Actor, ActorKind
from apps.audit.services import transaction
from apps.common import clock
from apps.custody.job_kinds import CustodyJob
from apps.jobs import control, heartbeats, kinds, running, shares, stuck
from apps.jobs import services as jobs
from apps.jobs.records import JobState, Share
from apps.jobs.store import JobTable, ShareTable
from apps.links import services as links
from apps.sessions import services, tasks
from apps.sessions.job_kinds import SessionJob
from apps.sessions.services import GenerateRequest
from apps.sessions.trail import SessionEvent
from tests import requirement
from tests.conftest import TESTS
from tests.queues import die, into
from tests.tables import save
from tests.waiting import wait_for

SMALL = GenerateRequest(key_length=64, error_rate=0.01)
ALICE, BOB = Actor(ActorKind.SERVICE, "alice"), Actor(ActorKind.SERVICE, "bob")


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(ids))
    return ids


@pytest.fixture(autouse=True)
def _link(aws):
    links.make("shared", name="A link for both", users=[str(ALICE), str(BOB)], actor=TESTS)


def asked(actor=ALICE, *, count=3):
    return tasks.generate_later(replace(SMALL, link="shared"), count=count, actor=actor)


def state(job):
    found = jobs.get(job.job_id)
    assert found is not None
    return found.state


@requirement("I11")
def test_jobs_of_one_principal_beyond_its_places_stay_queued_and_follow_each_other(sent, settings):
    settings.JOBS_RUNNING_PER_PRINCIPAL = 1
    first, second, third = asked(), asked(), asked()
    assert control.start(first.job_id, admit=shares.has_room)
    assert shares.take_place(first)
    sent.clear()
    for waiting in (second, third):
        tasks.generate_batch(waiting.job_id)
        assert state(waiting) is JobState.QUEUED
    assert sent == []
    die(first.job_id)
    tasks.generate_batch(first.job_id)
    assert sent == [second.job_id]
    tasks.generate_batch(second.job_id)
    assert sent == [second.job_id, third.job_id]
    tasks.generate_batch(third.job_id)
    assert [state(job) for job in (first, second, third)] == [JobState.SUCCEEDED] * 3
    assert len(sent) == 2


@requirement("I11")
def test_jobs_that_end_before_the_next_is_taken_up_leave_no_place_empty(sent, settings):
    """Both sent the same one, and the other place stayed empty until the sweep."""
    settings.JOBS_RUNNING_PER_PRINCIPAL = 2
    runs = [running._start(SessionJob.GENERATE, asked().job_id) for _ in range(2)]
    waiting = [asked() for _ in range(3)]
    sent.clear()
    for run in runs:
        assert run is not None
        control.end(run)
        jobs.send_next(str(ALICE))
    assert set(sent) == {job.job_id for job in waiting[:2]}
    assert len(sent) == 3, "a message too many, for a job that is no longer queued by then"


@requirement("I11")
def test_another_principal_s_job_runs_beside(sent, settings):
    settings.JOBS_RUNNING_PER_PRINCIPAL = 1
    first, other = asked(), asked(BOB)
    control.start(first.job_id)
    shares.take_place(first)
    tasks.generate_batch(other.job_id)
    assert state(other) is JobState.SUCCEEDED


@requirement("I11", "C6")
def test_a_place_whose_worker_died_is_free(sent, settings):
    settings.JOBS_RUNNING_PER_PRINCIPAL = 1
    first, second = asked(), asked()
    control.start(first.job_id)
    shares.take_place(first)
    die(first.job_id)
    tasks.generate_batch(second.job_id)
    assert state(second) is JobState.SUCCEEDED


@requirement("I11")
def test_of_many_workers_at_once_no_more_have_a_place_than_there_are(sent, settings):
    settings.JOBS_RUNNING_PER_PRINCIPAL = 2
    waiting = [asked() for _ in range(8)]
    gate = threading.Barrier(len(waiting))
    got: list[str] = []

    def work(job):
        gate.wait()
        if running._start(SessionJob.GENERATE, job.job_id) is not None:
            got.append(job.job_id)

    threads = [threading.Thread(target=work, args=(job,)) for job in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(got) <= 2
    assert [state(job) for job in waiting].count(JobState.RUNNING) == len(got)


@requirement("I11", "I10")
def test_jobs_of_others_that_somebody_wrote_into_a_share_do_not_count(sent, settings):
    settings.JOBS_RUNNING_PER_PRINCIPAL = 1
    other = asked(BOB)
    control.start(other.job_id)
    save(ShareTable.of(Share(str(ALICE), (other.job_id, "no such job"), 1)))
    job = asked()
    tasks.generate_batch(job.job_id)
    assert state(job) is JobState.SUCCEEDED


@requirement("I11", "I8")
def test_a_principal_may_have_so_many_jobs_waiting_and_is_told_how_many(api, other_api, sent, settings):
    settings.JOBS_OPEN_PER_PRINCIPAL = 3
    for _ in range(3):
        assert api.post("qkd/batches", {"count": 1}).status_code == 202
    refused = api.post("qkd/batches", {"count": 1})
    assert refused.status_code == 429
    assert refused.json()["type"].endswith("too-many-jobs")
    assert "3 jobs of yours wait or run" in refused.json()["detail"]
    assert other_api.post("qkd/batches", {"count": 1}).status_code == 202
    control.cancel(sent[0], actor=TESTS)
    assert api.post("qkd/batches", {"count": 1}).status_code == 202


@requirement("I11", "I4")
def test_the_platform_s_own_work_is_never_refused(sent, settings):
    settings.JOBS_OPEN_PER_PRINCIPAL = 1
    for _ in range(3):
        jobs.enqueue(SessionJob.GENERATE, total=1, parameters={}, actor=TESTS, owner=str(ALICE))
    assert len(sent) == 3


@requirement("I11")
def test_custody_has_a_queue_of_its_own(settings):
    for kind in kinds.all_kinds().values():
        own = isinstance(kind, CustodyJob)
        assert (kinds.queue_of(kind) == settings.CUSTODY_QUEUE) is own
        assert kinds.is_shared(kind) is not own


@requirement("I11")
def test_the_sweep_sends_what_waits_for_a_place_once_there_is_one(sent, settings, later):
    settings.JOBS_RUNNING_PER_PRINCIPAL = 1
    first, second = asked(), asked()
    started = control.start(first.job_id)
    assert started is not None
    shares.take_place(first)
    sent.clear()
    later(seconds=jobs.UNTAKEN_SECONDS + 1)
    assert control.beat(started)
    jobs.send_lost()
    assert sent == []
    control.end(started)
    jobs.send_lost()
    assert sent == [second.job_id]


@requirement("I11")
def test_a_backlog_of_one_owner_is_sent_place_by_place_and_keeps_nobody_elses_waiting(sent, settings):
    """All of it was, with each sweep, and workers gave back most of what they started."""
    settings.JOBS_RUNNING_PER_PRINCIPAL = 2
    backlog = [asked() for _ in range(20)]
    other = asked(BOB)
    sent.clear()
    assert jobs.send_lost(seconds=-1) == len(sent) == 2 + jobs.SPARE + 1
    assert sent == [*(job.job_id for job in backlog[: 2 + jobs.SPARE]), other.job_id]


@requirement("I11", "I4")
def test_a_job_of_a_kind_that_this_release_does_not_know_keeps_nobody_elses_waiting(sent, later):
    """Another release has queued it: sending it fails and is told, once the others were sent."""
    unknown = save(
        JobTable.of(replace(asked(), job_id="unknown", kind="of tomorrow", created_at=clock.ago(60)))
    )
    others = [asked(), asked(BOB)]
    sent.clear()
    with pytest.raises(ExceptionGroup, match="1 of"):
        jobs.send_lost(seconds=-1)
    assert {job.job_id for job in others} <= set(sent)
    assert unknown.job_id not in sent
    later(seconds=stuck.LATE * jobs.UNTAKEN_SECONDS + 1)
    assert any("unknown (of tomorrow)" in one.examples for one in stuck._jobs()), (
        "and operators are told of it"
    )


class Workers:
    """Threads that take messages from a queue in their order, as Celery's do."""

    def __init__(self, monkeypatch, count, made):
        self.messages: queue.Queue[str | None] = queue.Queue()
        self.failures: list[BaseException] = []
        self.made_before: dict[str, int] = {}  # what was made when a job was first put into the queue

        def put(arguments, **_):
            self.made_before.setdefault(arguments[0], len(made))
            self.messages.put(arguments[0])

        monkeypatch.setattr(tasks.generate_batch, "apply_async", put)
        monkeypatch.setattr(heartbeats, "others_wait", lambda _queue: not self.messages.empty())
        self.threads = [threading.Thread(target=self._work) for _ in range(count)]

    def _work(self):
        while (job_id := self.messages.get()) is not None:
            try:
                tasks.generate_batch(job_id)
            except BaseException as error:  # noqa: BLE001 - told by the test
                self.failures.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for _thread in self.threads:
            self.messages.put(None)
        for thread in self.threads:
            thread.join()


@requirement("I11", "E4")
@pytest.mark.parametrize("places", [1, 2])
def test_a_second_owner_s_job_starts_soon_after_four_batches_of_a_thousand(monkeypatch, settings, places):
    """Time passes by sessions alone: three are a fair share. With two places, both workers are busy."""
    settings.JOBS_RUNNING_PER_PRINCIPAL = places
    now = [0.0]
    monkeypatch.setattr(heartbeats, "time", SimpleNamespace(monotonic=lambda: now[0]))
    made: list[str] = []  # the owners of sessions, in the order that these were made in

    class Made:
        session_id = "made"

    def generate(*_, also, actor, **__):
        with transaction(TESTS) as tx:
            also(tx, Made())
            tx.audit(SessionEvent.GENERATED)
        made.append(str(actor))
        now[0] += 0.4 * heartbeats.FAIR_SECONDS
        return Made()

    monkeypatch.setattr(services, "generate", generate)
    with Workers(monkeypatch, 2, made) as workers:
        greedy = [asked(count=1000) for _ in range(4)]
        wait_for(lambda: made)
        other = asked(BOB, count=1)
        wait_for(lambda: state(other) is JobState.SUCCEEDED)
        for job in greedy:
            control.cancel(job.job_id, actor=TESTS)
    assert workers.failures == []
    assert made.count(str(BOB)) == 1
    assert len(made) < 4000, "the batches are under way meanwhile"
    ahead = made.index(str(BOB)) - workers.made_before[other.job_id]
    assert ahead <= 3 * (len(greedy) + 2), "a share of each batch in the queue, and of those under way"


@requirement("I6")
def test_heartbeats_do_not_write_the_lists_of_unfinished_jobs(sent):
    """An index of keys is only written when a job begins and ends."""
    for index in (JobTable.by_unfinished, JobTable.by_open):
        assert index.Meta.projection.projection_type == "KEYS_ONLY"
