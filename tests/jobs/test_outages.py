"""Outages, dead workers and killed steps: every job goes on by itself, or ends with the reason (A9, C6, I4)."""

import time
from dataclasses import replace
from types import ModuleType

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from pynamodb.exceptions import UpdateError

from apps.audit.writing import AuditUnavailable
from apps.common.deadline import ending_in
from apps.common.errors import Refused
from apps.common.transient import is_transient
from apps.custody import retirement, rotations
from apps.custody import tasks as custody
from apps.jobs import control, heartbeats, kinds
from apps.jobs import services as jobs
from apps.jobs.messages import VISIBLE_SECONDS
from apps.jobs.records import SILENT_SECONDS, JobState
from apps.jobs.store import JobTable
from apps.keys import rotation
from apps.keys.records import RotationStatus, rotation_id_of
from apps.sessions import services, tasks
from apps.sessions.records import StockEmpty
from apps.sessions.services import GenerateRequest
from apps.stack import prepare
from qkdplatform.celery import app
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import rows_under
from tests.faults import TELLING, URL, watched
from tests.queues import die
from tests.tables import rows
from tests.waiting import LIMIT_SECONDS

SMALL = GenerateRequest(key_length=64, error_rate=0.01)


class Sent(list[str]):
    """The ids of jobs that were sent, and after how many seconds each is shown."""

    def __init__(self):
        super().__init__()
        self.delays: list[int] = []

    def __call__(self, arguments, *, delay_seconds=0, **_):
        self.append(arguments[0])
        self.delays.append(delay_seconds)


@pytest.fixture
def sent(monkeypatch):
    """What was sent, of any kind."""
    messages = Sent()
    for task in (tasks.generate_batch, custody.rewrap_files, custody.reencrypt_files):
        monkeypatch.setattr(task, "apply_async", messages)
    return messages


@pytest.fixture
def job(aws, sent):
    """A job of three sessions, queued."""
    return tasks.generate_later(SMALL, count=3, actor=TESTS)


class Killed(BaseException):
    """The worker's process is gone: nothing of it runs any more."""


def now(job):
    found = jobs.get(job.job_id)
    assert found is not None
    return found


def raising(monkeypatch, error):
    """Every session fails so."""

    def generate(*_, **__):
        raise error

    monkeypatch.setattr(services, "generate", generate)


def out_of_reach(call, client, operation, arguments):
    """No call reaches AWS."""
    raise EndpointConnectionError(endpoint_url=URL)


TRANSIENT = {
    "no connection": EndpointConnectionError(endpoint_url=URL),
    "throttled": ClientError({"Error": {"Code": "ThrottlingException", "Message": "slower"}}, "PutItem"),
    "a 503": ClientError(
        {"ResponseMetadata": {"HTTPStatusCode": 503}, "Error": {"Code": "x"}},  # type: ignore[typeddict-item]
        "PutItem",
    ),
    "unavailable": AuditUnavailable("The audit trail cannot be written."),
    "no quantum keys": StockEmpty("No quantum key is ready."),
}


@requirement("C6", "E5")
@pytest.mark.parametrize("error", TRANSIENT.values(), ids=list(TRANSIENT))
def test_what_passes_by_itself_puts_the_job_back_with_growing_waits(job, sent, monkeypatch, error):
    real = services.generate
    raising(monkeypatch, error)
    for _ in range(10):
        tasks.generate_batch(job.job_id)
    waits = now(job)
    assert (waits.state, waits.done) == (JobState.QUEUED, 0)
    assert "tried again" in str(waits.error)
    assert sent.delays[0] == 0, "the job itself"
    assert sent.delays[1] <= 5
    assert 600 < sent.delays[-1] <= 900
    monkeypatch.setattr(services, "generate", real)
    tasks.generate_batch(job.job_id)
    assert (now(job).state, now(job).error) == (JobState.SUCCEEDED, None)


@requirement("C6")
def test_an_outage_of_more_than_a_day_ends_the_job_with_the_reason(job, monkeypatch):
    raising(monkeypatch, TRANSIENT["throttled"])
    for _ in range(control.MAX_POSTPONED):
        tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.FAILED
    assert "does not answer" in str(now(job).error)


@requirement("C6")
def test_a_job_that_gets_further_between_outages_does_not_end(aws, sent, monkeypatch):
    count = 4
    job = tasks.generate_later(SMALL, count=count, actor=TESTS)
    monkeypatch.setattr(control, "MAX_POSTPONED", 3)
    real, calls = services.generate, []

    def generate(*arguments, **named):
        calls.append(1)
        if len(calls) % 3:
            raise TRANSIENT["throttled"]
        return real(*arguments, **named)

    monkeypatch.setattr(services, "generate", generate)
    for _ in range(2 * count + 1):
        tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.SUCCEEDED


@requirement("C6")
@pytest.mark.parametrize(
    "error", [Refused("It cannot be."), ValueError("42"), OSError(28, "No space left on device")]
)
def test_what_does_not_pass_by_itself_is_not_tried_again(job, sent, monkeypatch, error):
    assert not is_transient(error)
    raising(monkeypatch, error)
    tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.FAILED
    assert sent == [job.job_id]


@requirement("C6", "I4")
def test_a_message_is_not_acknowledged_where_the_end_could_not_be_recorded(job, monkeypatch):
    """Celery acknowledges a task that returns; one that raises is delivered again."""
    assert app.conf.task_acks_late
    assert not app.conf.task_acks_on_failure_or_timeout
    real = services.generate

    def generate(*arguments, **named):
        made = real(*arguments, **named)
        outage.__enter__()
        return made

    outage = watched(out_of_reach)
    monkeypatch.setattr(services, "generate", generate)
    with pytest.raises(UpdateError) as raised:
        tasks.generate_batch(job.job_id)
    assert is_transient(raised.value)
    outage.__exit__(None, None, None)
    assert now(job).state is JobState.RUNNING
    monkeypatch.setattr(services, "generate", real)
    die(job.job_id)
    tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.SUCCEEDED


@requirement("C6", "I4")
def test_what_goes_on_is_sent_before_the_message_is_acknowledged(job, monkeypatch):
    raising(monkeypatch, TRANSIENT["throttled"])

    def no_queue(*_, **__):
        raise EndpointConnectionError(endpoint_url=URL)

    monkeypatch.setattr(tasks.generate_batch, "apply_async", no_queue)
    with pytest.raises(EndpointConnectionError):
        tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.QUEUED


@requirement("C6", "A9")
def test_a_job_whose_worker_always_dies_ends_with_the_reason(job, sent, monkeypatch, later):
    raising(monkeypatch, Killed())
    for _ in range(control.MAX_DEATHS):
        with pytest.raises(Killed):
            tasks.generate_batch(job.job_id)
        later(seconds=SILENT_SECONDS + 1)
    tasks.generate_batch(job.job_id)
    ended = now(job)
    assert (ended.state, ended.error) == (JobState.FAILED, control.DIED)
    sent.clear()
    later(days=1)
    jobs.send_lost()
    assert sent == []


@requirement("C6", "A9")
def test_a_job_whose_worker_dies_now_and_then_is_done_in_the_end(aws, sent, monkeypatch, later):
    job = tasks.generate_later(SMALL, count=8, actor=TESTS)
    real = services.generate
    made: list[int] = []

    def generate(*arguments, **named):
        made.append(1)
        if len(made) % 2:
            raise Killed
        return real(*arguments, **named)

    monkeypatch.setattr(services, "generate", generate)
    for _ in range(8):
        with pytest.raises(Killed):
            tasks.generate_batch(job.job_id)
        later(seconds=SILENT_SECONDS + 1)
    tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.SUCCEEDED
    assert len(rows(JobTable.Meta.table_name)) == 1


@requirement("C6")
def test_a_message_delivered_twice_is_no_death_of_a_worker(job):
    for _ in range(control.MAX_DEATHS + 2):
        control.start(job.job_id)
    assert (now(job).state, now(job).deaths) == (JobState.RUNNING, 0)


@requirement("C6", "E5")
def test_the_sweep_takes_up_silent_jobs_and_no_others(job, sent, later):
    control.start(job.job_id)
    sent.clear()
    later(seconds=jobs.LOST_SECONDS - 5)
    assert (jobs.send_lost(), sent) == (0, []), "SQS shows its message again before"
    later(seconds=10)
    assert (jobs.send_lost(), sent) == (1, [job.job_id])


@requirement("C6", "G1")
def test_a_job_of_the_run_before_is_taken_up_at_the_next_start(job, monkeypatch):
    with monkeypatch.context() as patch:
        raising(patch, Killed())
        with pytest.raises(Killed):
            tasks.generate_batch(job.job_id)
    tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.RUNNING, "its worker was heard of just now"
    prepare.free_jobs()
    tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.SUCCEEDED


@requirement("C6")
def test_a_job_that_waits_after_a_failure_is_not_sent_before_it_is_due(job, sent, later, monkeypatch):
    started = control.start(job.job_id)
    assert started is not None
    seconds = control.postpone(replace(started, postponed=9), why="No answer.")
    assert seconds is not None
    sent.clear()
    later(seconds=seconds)
    assert (jobs.send_lost(), sent) == (0, [])
    later(seconds=jobs.UNTAKEN_SECONDS + 1)
    assert (jobs.send_lost(), sent) == (1, [job.job_id])


@requirement("A9", "C6")
def test_a_silent_job_is_cancelled_at_once_also_where_that_was_asked_for_before(job, later):
    control.start(job.job_id)
    assert control.cancel(job.job_id, actor=TESTS).state is JobState.RUNNING
    later(seconds=SILENT_SECONDS + 1)
    assert control.cancel(job.job_id, actor=TESTS).state is JobState.CANCELLED


@requirement("C5", "C6", "E5")
def test_the_rotation_of_a_revoked_key_goes_on_after_an_outage(pool, sent, settings, later, monkeypatch):
    """The end of its job could not be recorded, and its message is gone: resume goes on with it."""
    settings.REWRAP_PER_SECOND = 1_000_000
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    rows_under(pool[0], 3)
    retirement.revoke(pool[0].key_id, reason="test", actor=TESTS)
    with pytest.raises(UpdateError), watched(_writes_fail_after(3)):
        custody.rewrap_files(sent[0])
    rotation_id = rotation_id_of(pool[0].key_id)
    with pytest.raises(Refused, match="already"):
        retirement.start(rotation_id, actor=TESTS)
    later(seconds=SILENT_SECONDS + 1)
    assert retirement.start(rotation_id, actor=TESTS).job_id == sent[0]
    assert len(sent) == 2
    custody.rewrap_files(sent[1])
    assert rotation.find(rotation_id).status is RotationStatus.DONE


def _writes_fail_after(count):
    made = []

    def around(call, client, operation, arguments):
        if operation in {"UpdateItem", "TransactWriteItems"}:
            made.append(operation)
            if len(made) > count:
                raise EndpointConnectionError(endpoint_url=URL)
        return call(client, operation, arguments)

    return around


@requirement("C6", "E4")
def test_a_batch_goes_on_in_the_next_message_before_its_worker_s_time_ends(job, sent):
    sent.clear()
    with ending_in(heartbeats.HANDED_OVER_SECONDS - 1):
        tasks.generate_batch(job.job_id)
    assert (now(job).state, now(job).done) == (JobState.QUEUED, 0)
    assert sent == [job.job_id]
    with ending_in(900):
        tasks.generate_batch(job.job_id)
    assert now(job).state is JobState.SUCCEEDED


@requirement("C6", "E4")
def test_a_step_that_outlasts_every_worker_ends_with_the_reason(job, sent, monkeypatch):
    """It is told before the function is ended, so that the step can remove what it had begun."""
    seen: list[str] = []

    def generate(*_, **__):
        try:
            with ending_in(heartbeats.LAST_SECONDS - 1):
                work = heartbeats.Work(now(job), request=tasks.generate_batch.request, queue="jobs")
                work.report(done=0)
        except heartbeats.OutOfTime:
            seen.append("told")
            raise

    monkeypatch.setattr(services, "generate", generate)
    for _ in range(control.MAX_DEATHS):
        tasks.generate_batch(job.job_id)
    assert len(seen) == control.MAX_DEATHS
    assert (now(job).state, now(job).error) == (JobState.FAILED, control.DIED)


@requirement("C6")
@pytest.mark.parametrize("kind", ["generate", "rewrap"])
def test_every_kind_is_heard_of_while_a_step_takes_long(pool, sent, settings, monkeypatch, kind):
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.02)
    heard: list[object] = []
    owner: ModuleType
    if kind == "generate":
        job_id = tasks.generate_later(SMALL, count=1, actor=TESTS).job_id
        owner, name, task = services, "_record", tasks.generate_batch
    else:
        rows_under(pool[0], 2)
        retirement.revoke(pool[0].key_id, reason="test", actor=TESTS)
        job_id = sent[-1]
        owner, name, task = rotations, "_move", custody.rewrap_files
    real = getattr(owner, name)

    def slowly(*arguments, **named):
        before = jobs.get(job_id)
        until = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < until and jobs.get(job_id) == before:
            time.sleep(0.02)
        heard.append(jobs.get(job_id) != before)
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, slowly)
    task(job_id)
    assert heard[0] is True


@requirement("C6", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_fails_while_a_job_is_put_back_it_is_done_in_the_end(
    aws, sent, fault, each_call, monkeypatch
):
    def prepare():
        started = control.start(tasks.generate_later(SMALL, count=1, actor=TESTS).job_id)
        assert started is not None
        return started

    def attempt(job):
        control.postpone(job, why="No answer.")

    for place, job in each_call("put a job back", fault, prepare, attempt):
        assert now(job).state in {JobState.RUNNING, JobState.QUEUED}, place
        die(job.job_id)
        tasks.generate_batch(job.job_id)
        assert now(job).state is JobState.SUCCEEDED, place


@requirement("C6", "I2")
def test_the_wait_of_a_job_is_sqs_s_own_delay(job, monkeypatch):
    monkeypatch.undo()
    told: list[int] = []

    def around(call, client, operation, arguments):
        if operation == "SendMessage":
            told.append(arguments["DelaySeconds"])
        return call(client, operation, arguments)

    with watched(around):
        kinds.send(job.kind, job.job_id, seconds=42)
    assert told == [42]


@requirement("C6")
def test_the_message_of_a_dead_worker_is_shown_again_once_the_job_counts_as_silent():
    last_extended = heartbeats.HIDDEN_SECONDS + heartbeats.HEARTBEAT_SECONDS

    assert VISIBLE_SECONDS - last_extended >= SILENT_SECONDS
    assert jobs.LOST_SECONDS > VISIBLE_SECONDS
    assert app.conf.broker_transport_options["visibility_timeout"] == VISIBLE_SECONDS
