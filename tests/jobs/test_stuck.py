"""What is stuck stands on one page, each with what to do; dead letters are tried again by a command (C6, E5)."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.common import standstill
from apps.common.aws import client
from apps.common.declarations import modules_named
from apps.custody import retirement
from apps.custody import tasks as custody
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.sessions import services, tasks
from apps.sessions.services import GenerateRequest
from apps.stack.invocation import bury
from qkdplatform import lambda_handler
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import rows_under
from tests.queues import into
from tests.uploads import registered

SMALL = GenerateRequest(key_length=64, error_rate=0.01)


@pytest.fixture(autouse=True)
def _queues(aws, settings):
    client("sqs").create_queue(QueueName=settings.UPLOAD_EVENTS_QUEUE)


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    for task in (tasks.generate_batch, custody.rewrap_files):
        monkeypatch.setattr(task, "apply_async", into(ids))
    return ids


def told():
    return {one.what: one for one in standstill.found()}


def called(*words):
    output = StringIO()
    try:
        call_command(*words, stdout=output)
    except CommandError as error:
        return error.returncode, output.getvalue()
    return 0, output.getvalue()


@requirement("E5")
def test_nothing_is_stuck_on_a_platform_that_works(stock, sent):
    tasks.generate_later(SMALL, count=1, actor=TESTS)
    assert standstill.found() == []
    assert called("stuck") == (0, "Nothing is stuck.\n")
    assert json.loads(called("stuck", "--json")[1]) == []


@requirement("E5", "C6")
def test_jobs_that_are_silent_or_not_taken_up_or_wait_are_told(sent, later):
    silent, untaken, waits = (tasks.generate_later(SMALL, count=1, actor=TESTS) for _ in range(3))
    control.start(silent.job_id)
    started = control.start(waits.job_id)
    assert started is not None
    control.postpone(started, why="No answer.")
    later(seconds=4 * jobs.UNTAKEN_SECONDS)
    found = told()
    assert silent.job_id in found["silent jobs"].examples[0]
    assert any(untaken.job_id in one for one in found["jobs that no worker takes up"].examples)
    assert waits.job_id in found["jobs that wait after a failure that should pass by itself"].examples[0]
    code, said = called("stuck")
    assert code == 1
    assert "POST /api/v1/jobs/{id}/cancel" in said
    assert "since 20" in said


@requirement("E5", "C5")
def test_a_rotation_whose_job_was_cancelled_is_told_until_it_is_resumed(pool, sent, settings):
    rows_under(pool[0], 2)
    retirement.revoke(pool[0].key_id, reason="test", actor=TESTS)
    what = "open rotations whose job failed or was cancelled"
    assert what not in told()
    control.cancel(sent[0], actor=TESTS)
    [rotation_id] = told()[what].examples
    retirement.start(rotation_id, actor=TESTS)
    assert what not in told()


@requirement("E5", "B1")
def test_uploads_and_verdicts_that_are_late_are_told(api, stock, sent, later):
    registered(api)
    services.generate(SMALL, actor=TESTS)
    later(days=2)
    found = told()
    assert found["uploads that wait for longer than a day"].count == 1
    assert found["sessions that wait for their verdict"].count == 1


@requirement("E5")
def test_a_check_that_fails_is_told_and_the_others_are_made(sent, monkeypatch, later):
    module = next(one for one in modules_named("stuck") if one.__name__ == "apps.custody.stuck")

    def broken():
        raise OSError("no answer")

    monkeypatch.setattr(module, "CHECKS", [broken])
    tasks.generate_later(SMALL, count=1, actor=TESTS)
    later(days=1)
    assert {"what is stuck in custody is not known", "jobs that no worker takes up"} <= told().keys()


def letters(settings):
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    waiting = int(counts["ApproximateNumberOfMessages"])
    return waiting + int(counts["ApproximateNumberOfMessagesNotVisible"])


def moved_to_dead_letters(settings, body):
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=body)


@requirement("B1", "C1", "I4")
def test_dead_letters_are_tried_again_and_deleted_once_they_succeed(api, stock, settings, sent):
    upload, other = registered(api), registered(api, b"another")
    bury(upload.event, ValueError("x"), source="upload", condition="RetriesExhausted", attempts=3)
    moved_to_dead_letters(settings, json.dumps(other.event))
    assert told()["dead letters"].count == 2
    code, said = called("redrive")
    assert (code, letters(settings)) == (0, 0)
    assert "2 of 2 dead letters are done." in said
    assert upload.is_safe
    assert other.is_safe


@requirement("C6", "I4")
def test_the_message_of_a_job_is_sent_again_unless_that_has_ended(settings, monkeypatch):
    waiting, done = (tasks.generate_later(SMALL, count=1, actor=TESTS) for _ in range(2))
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=settings.JOBS_QUEUE)["QueueUrl"]
    bodies = [
        message["Body"] for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    ]
    assert len(bodies) == 2
    ids: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(ids))
    control.cancel(done.job_id, actor=TESTS)
    for body in bodies:
        moved_to_dead_letters(settings, body)
    assert called("redrive")[0] == 0
    assert ids == [waiting.job_id]
    assert letters(settings) == 0


@requirement("I4", "I2")
@pytest.mark.parametrize(
    "body",
    [
        "a poem", '{"manage": "migrate"}', "[]", '{"Records": []}', "null",
        '{"requestPayload": {"manage": "api_client make x --role administrator"}}',
        '{"requestPayload": {"httpMethod": "GET", "requestContext": {"identity": {"sourceIp": "192.0.2.1"}}}}',
    ],
)  # fmt: skip
def test_what_is_none_of_ours_stays_and_nothing_is_run(settings, monkeypatch, body):
    ran: list[object] = []
    monkeypatch.setattr(lambda_handler, "handler", lambda event, _: ran.append(event))
    moved_to_dead_letters(settings, body)
    code, said = called("redrive")
    assert (code, letters(settings), ran) == (1, 1, [])
    assert "UnknownLetter" in said
    assert body not in said


@requirement("I4")
def test_what_fails_again_stays_without_its_text(settings, monkeypatch):
    def fails(*_):
        raise ValueError("the secret is 42")

    monkeypatch.setattr(lambda_handler, "handler", fails)
    bury({"source": "x"}, ValueError("x"), source="upload", condition="RetriesExhausted", attempts=3)
    code, said = called("redrive")
    assert (code, letters(settings)) == (1, 1)
    assert "ValueError" in said
    assert "secret" not in said


@requirement("C6")
def test_a_state_that_ends_is_no_longer_stuck(sent, later):
    job = tasks.generate_later(SMALL, count=1, actor=TESTS)
    later(days=1)
    assert told()
    tasks.generate_batch(job.job_id)
    assert jobs.find(job.job_id, actor=TESTS).state is JobState.SUCCEEDED
    assert "jobs that no worker takes up" not in told()
