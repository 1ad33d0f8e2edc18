"""The unpacked zip on AWS's own runtime client (awslambdaric), driven with events of AWS's shape."""

import json

import pytest
from django.conf import settings

from apps.common.aws import client
from tests import requirement
from tests.events import stream_insert
from tests.function import started
from tests.platform.test_cold_start import HEAVY
from tests.platform.test_queues import sqs_event
from tests.stage import embedded_stage, filled, request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


# Of this process, not of the package: the handler, and what it has imported
COUNTED = """
import sys
from qkdplatform.lambda_handler import handler as answer

def handler(event, context):
    return sorted(sys.modules) if event == {"modules": True} else answer(event, context)
"""
OF_A_MESSAGE = 2_100  # modules; 1,951 today, the runtime's own among them, and 847 of an answer about health


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A stage on an embedded AWS, as its functions are told of it."""
    with embedded_stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def function(on_runtime_client, environment):
    """The zip's content on the runtime client."""
    with started(on_runtime_client, environment) as made:
        yield made


@pytest.fixture(scope="module")
def key(function):
    """The first API key: users' tables, bootstrap, a schedule and the stream, each by its event."""
    return filled(function)


@requirement("G1")
def test_it_starts_and_answers_the_gateway(function):
    answer = function.send(request("GET", "/api/v1/health"))
    assert answer.value["statusCode"] == 200
    assert json.loads(answer.value["body"])["status"] == "ok"


@requirement("G1", "E1")
def test_it_encrypts_with_what_its_schedule_made(function, key):
    sealed = function.send(request("POST", "/api/v1/encrypt", key=key, body='{"plaintext": "hello"}')).value
    assert sealed["statusCode"] == 200, sealed["body"]
    opened = function.send(request("POST", "/api/v1/decrypt", key=key, body=sealed["body"])).value
    assert json.loads(opened["body"])["plaintext"] == "hello"


@requirement("H1")
def test_the_first_message_of_an_instance_imports_what_it_needs_alone(
    on_runtime_client, environment, key, tmp_path
):
    (tmp_path / "counted.py").write_text(COUNTED)
    with started([*on_runtime_client, str(tmp_path)], environment, "counted.handler") as fresh:
        sealed = fresh.send(request("POST", "/api/v1/encrypt", key=key, body='{"plaintext": "hello"}')).value
        modules = fresh.send({"modules": True}).value
    assert sealed["statusCode"] == 200, sealed["body"]
    assert HEAVY & {name.partition(".")[0] for name in modules} == set()
    assert len(modules) < OF_A_MESSAGE


@requirement("G1", "C6")
def test_it_does_the_job_of_a_message_of_sqs(function, key):
    asked = json.dumps({"key_length": 256, "error_rate": 0.02, "count": 2})
    job = json.loads(function.send(request("POST", "/api/v1/qkd/batches", key=key, body=asked)).value["body"])
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=settings.JOBS_QUEUE)["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    event = sqs_event(settings.JOBS_QUEUE, message["Body"])
    event["Records"][0]["receiptHandle"] = message["ReceiptHandle"]
    assert function.send(event).value == {"batchItemFailures": []}
    found = function.send(request("GET", f"/api/v1/jobs/{job['job_id']}", key=key)).value
    assert json.loads(found["body"])["state"] == "succeeded"


@requirement("G1", "B1")
def test_it_judges_the_session_of_a_record_of_the_stream(function, key):
    asked = json.dumps({"key_length": 256, "error_rate": 0.02})
    made = function.send(request("POST", "/api/v1/qkd/generate", key=key, body=asked)).value
    session = json.loads(made["body"])["session_id"]
    assert function.send(stream_insert(session)).value == {"batchItemFailures": []}
    found = function.send(request("GET", f"/api/v1/qkd/session/{session}", key=key)).value
    assert json.loads(found["body"])["status"] == "ready"


@requirement("G1")
def test_an_event_that_nobody_knows_is_an_error_which_aws_keeps(function):
    answer = function.send({"Records": [{"eventSource": "aws:kinesis"}]})
    assert answer.failed
    assert answer.value["errorType"] == "UnknownEvent"
