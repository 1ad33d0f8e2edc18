"""Events of SQS: jobs run from Celery's messages, uploads from S3's, and nothing else does."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from apps.common.aws import client
from apps.common.deadline import seconds_left
from apps.jobs import kinds, services
from apps.jobs.records import JobState
from apps.sessions import tasks
from apps.sessions.job_kinds import SessionJob
from apps.sessions.services import GenerateRequest
from qkdplatform.celery import _known_queues, app
from qkdplatform.errors import UnknownEvent
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.uploads import registered
from tests.waiting import LIMIT_SECONDS

CONTEXT = SimpleNamespace(
    aws_request_id="1",
    function_name="qkdplatform-dev-worker",
    memory_limit_in_mb=1024,
    get_remaining_time_in_millis=lambda: 900_000,
)
REQUEST = GenerateRequest(key_length=64, error_rate=0.01)
# A message that Celery 5.7 and kombu sent for generate_batch, as SQS kept it; only the job's id is put in.
RECORDED: dict[str, Any] = {
    "content-encoding": "utf-8",
    "content-type": "application/json",
    "headers": {
        "lang": "py",
        "task": "sessions.generate_batch",
        "id": "8d7ff2d8-6b1a-4d3a-8f0e-0b9a2c1f4e11",
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": "8d7ff2d8-6b1a-4d3a-8f0e-0b9a2c1f4e11",
        "parent_id": None,
        "argsrepr": "('…',)",
        "kwargsrepr": "{}",
        "origin": "gen1@host",
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    },
    "properties": {
        "correlation_id": "8d7ff2d8-6b1a-4d3a-8f0e-0b9a2c1f4e11",
        "reply_to": "5c1e3a3e-0b1d-3c59-8f2b-6d1b2f3a4c5d",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": "qkd-local-jobs"},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": "3b0e6f0c-29a0-4d25-8d0b-4f0a6a1d8f0e",
    },
}


def sqs_event(queue, *bodies, receives=1):
    """What an event source mapping of SQS sends."""
    records = [
        {
            "messageId": f"m-{number}",
            "receiptHandle": f"AQEB-{number}",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": str(receives),
                "SentTimestamp": "1790000000000",
                "SenderId": "AIDAEXAMPLE",
                "ApproximateFirstReceiveTimestamp": "1790000000001",
            },
            "messageAttributes": {},
            "md5OfBody": "0" * 32,
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
            "awsRegion": "us-east-1",
        }
        for number, body in enumerate(bodies, 1)
    ]
    return {"Records": records}


def celery_body(*arguments, task="sessions.generate_batch", **changes):
    inner = [list(arguments), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    message = {
        **RECORDED,
        "headers": {**RECORDED["headers"], "task": task},
        "body": base64.b64encode(json.dumps(inner).encode()).decode(),
        **changes,
    }
    return base64.b64encode(json.dumps(message).encode()).decode()


def job_event(*bodies, **more):
    return sqs_event(settings.JOBS_QUEUE, *bodies, **more)


def upload_event(*bodies, **more):
    return sqs_event(settings.UPLOAD_EVENTS_QUEUE, *bodies, **more)


def failed(answer):
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


@pytest.fixture
def job(aws, monkeypatch):
    monkeypatch.setattr(kinds, "send", lambda *_: None)
    return tasks.generate_later(REQUEST, count=2, actor=TESTS)


@pytest.fixture
def running(monkeypatch):
    """Every run of the task of batches, instead of its work."""
    runs = []
    monkeypatch.setattr(kinds.task_of(SessionJob.GENERATE), "run", lambda *given: runs.append(given))
    return runs


@requirement("G1", "C6")
def test_a_message_of_the_jobs_queue_runs_its_task(job):
    assert failed(handler(job_event(celery_body(job.job_id)), CONTEXT)) == []
    ended = services.find(job.job_id, actor=TESTS)
    assert (ended.state, ended.done) == (JobState.SUCCEEDED, 2)


@requirement("G1", "C6")
def test_what_celery_sends_is_what_the_entry_runs(aws):
    """The message is the one that this release of Celery and kombu writes."""
    sent = tasks.generate_later(REQUEST, count=1, actor=TESTS)
    url = client("sqs").get_queue_url(QueueName=settings.JOBS_QUEUE)["QueueUrl"]
    (message,) = client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert failed(handler(job_event(message["Body"]), CONTEXT)) == []
    assert services.find(sent.job_id, actor=TESTS).state is JobState.SUCCEEDED


@requirement("G1")
def test_a_job_knows_how_long_the_worker_may_run(running, monkeypatch):
    left: list[float] = []
    monkeypatch.setattr(kinds.task_of(SessionJob.GENERATE), "run", lambda _: left.append(seconds_left() or 0))
    handler(job_event(celery_body("a job")), CONTEXT)
    assert 900 - LIMIT_SECONDS < left[0] <= 900
    assert seconds_left() is None


@requirement("G1", "C6")
def test_a_running_job_hides_its_message_by_the_receipt_that_sqs_gave(job, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "apps.jobs.heartbeats.keep_hidden",
        lambda request, _queue: seen.append(request.properties["delivery_tag"]),
    )
    handler(job_event(celery_body(job.job_id)), CONTEXT)
    assert seen == ["AQEB-1"]


@requirement("G1")
@pytest.mark.parametrize("error", [TypeError("missing 1 argument"), ValueError(), RuntimeError()])
def test_a_task_that_raises_is_run_once_and_its_message_kept(aws, running, monkeypatch, error):
    def fail(*_):
        running.append(1)
        raise error

    monkeypatch.setattr(kinds.task_of(SessionJob.GENERATE), "run", fail)
    assert failed(handler(job_event(celery_body("a job")), CONTEXT)) == ["m-1"]
    assert running == [1]


@requirement("G1")
def test_arguments_that_do_not_fit_fail_the_message(aws):
    assert failed(handler(job_event(celery_body("one", "two")), CONTEXT)) == ["m-1"]


@requirement("G1")
def test_only_what_failed_is_named(aws, running, monkeypatch):
    def fail_on_odd(job_id):
        running.append(job_id)
        if job_id == "odd":
            raise RuntimeError

    monkeypatch.setattr(kinds.task_of(SessionJob.GENERATE), "run", fail_on_odd)
    event = job_event(celery_body("even"), celery_body("odd"), celery_body("even"))
    assert failed(handler(event, CONTEXT)) == ["m-2"]
    assert running == ["even", "odd", "even"]


@requirement("I9", "G1")
@pytest.mark.parametrize(
    "body",
    [
        celery_body("x", task="celery.map"),
        celery_body("x", task="celery.backend_cleanup"),
        celery_body("x", task="os.system"),
        celery_body("x", **{"content-type": "application/x-python-serialize"}),
        celery_body("x", body="not base64"),
        celery_body("x", headers={}),
        celery_body("x", headers=None),
        celery_body("x", body=base64.b64encode(b"[[], {}]").decode()),
        celery_body("x", body=base64.b64encode(b"5").decode()),
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b"text").decode(),
        '{"raw_command": "print(1)"}',
        '{"task": "sessions.generate_batch"}',
        "",
    ],
)
def test_what_is_no_message_of_a_job_runs_nothing_and_is_kept(aws, running, body):
    assert failed(handler(job_event(body), CONTEXT)) == ["m-1"]
    assert running == []


@requirement("C1", "G1")
def test_a_message_of_the_uploads_queue_encrypts_the_object(api, stock):
    upload = registered(api)
    assert failed(handler(upload_event(json.dumps(upload.event)), CONTEXT)) == []
    assert upload.is_safe


@requirement("C1", "G1")
def test_an_upload_that_cannot_be_encrypted_now_stays_in_the_queue(api):
    upload = registered(api)  # there is no quantum key
    assert failed(handler(upload_event(json.dumps(upload.event)), CONTEXT)) == ["m-1"]
    assert not upload.is_gone


@requirement("C1")
def test_the_notification_that_s3_sends_to_try_the_queue_is_taken(aws):
    trial = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": settings.UPLOADS_BUCKET}
    assert failed(handler(upload_event(json.dumps(trial)), CONTEXT)) == []


@requirement("I9", "G1")
@pytest.mark.parametrize(
    "body",
    [
        {"manage": "migrate"},
        {"raw_command": "print(1)"},
        {"Records": []},
        {"Records": [{"eventSource": "aws:dynamodb"}]},
        {"Records": [{"eventSource": "aws:s3"}, {"eventSource": "aws:sqs"}]},
        {"source": "aws.events", "resources": ["rule/qkdplatform.schedules.sweep"]},
        {"httpMethod": "GET", "requestContext": {}},
        [],
        "text",
        None,
    ],
    ids=str,
)
def test_the_queue_of_uploads_brings_events_of_s3_only(aws, body):
    assert failed(handler(upload_event(json.dumps(body)), CONTEXT)) == ["m-1"]


@requirement("I9", "G1")
def test_a_message_of_celery_in_the_queue_of_uploads_runs_nothing(aws, running):
    assert failed(handler(upload_event(celery_body("a job")), CONTEXT)) == ["m-1"]
    assert running == []


@requirement("G1")
@pytest.mark.parametrize("queue", ["another", "", "qkd-local-dead-letters", "qkd-local-jobs-2"])
def test_a_queue_that_is_not_the_platform_s_is_an_error_of_the_function(running, queue):
    with pytest.raises(UnknownEvent):
        handler(sqs_event(queue, celery_body("a job")), CONTEXT)
    assert running == []


@requirement("G1")
def test_messages_of_two_queues_at_once_are_no_event_of_aws(running):
    event = {"Records": job_event(celery_body("x"))["Records"] + upload_event("{}")["Records"]}
    with pytest.raises(UnknownEvent):
        handler(event, CONTEXT)
    assert running == []


@requirement("G1")
@pytest.mark.parametrize(("receives", "seconds"), [(1, 30), (2, 60), (3, 120), (6, 900), (40, 900)])
def test_a_message_that_failed_is_shown_again_after_a_back_off(aws, monkeypatch, receives, seconds):
    shown = []
    sqs = client("sqs")
    monkeypatch.setattr(sqs, "change_message_visibility", lambda **given: shown.append(given))
    handler(job_event("not a message", receives=receives), CONTEXT)
    (given,) = shown
    assert (given["ReceiptHandle"], given["VisibilityTimeout"]) == ("AQEB-1", seconds)
    assert given["QueueUrl"].endswith(settings.JOBS_QUEUE)


@requirement("I2")
def test_the_log_says_where_a_message_failed_and_not_what_it_was_about(aws, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("the secret is swordfish")

    monkeypatch.setattr(kinds.task_of(SessionJob.GENERATE), "run", fail)
    handler(job_event(celery_body("a job")), CONTEXT)
    assert "RuntimeError at" in caplog.text
    assert "swordfish" not in caplog.text


@requirement("G1")
def test_a_queue_whose_address_was_told_is_neither_looked_up_nor_made(aws, monkeypatch):
    url = client("sqs").get_queue_url(QueueName=settings.JOBS_QUEUE)["QueueUrl"]
    monkeypatch.setattr(settings, "JOBS_QUEUE_URL", url)
    calls = []
    options = {**app.conf.broker_transport_options, "predefined_queues": _known_queues()}
    task: Any = kinds.task_of(SessionJob.GENERATE)
    with app.connection_for_write(transport_options=options) as connection:
        channel: Any = connection.default_channel
        sqs = channel.sqs(queue=settings.JOBS_QUEUE)
        sqs.meta.events.register("before-call", lambda model, **_: calls.append(model.name))
        task.apply_async(["a job"], connection=connection)
    assert calls == ["GetQueueAttributes", "SendMessage"]
