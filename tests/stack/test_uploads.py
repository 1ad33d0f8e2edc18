"""The queue of uploads as Lambda's poller reads it: what is taken, what stays, and what becomes a dead letter."""

import json
import threading
import time

import pytest

from apps.common import aws as clients
from apps.files.life import archive
from apps.stack import resources, uploads
from apps.stack.invocation import Entry
from qkdplatform import lambda_handler, queues
from tests import requirement

NOTIFICATION = {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a%20b"}}}]}
POISON = [
    "not JSON",
    "",
    "[]",
    "null",
    '{"Records": []}',
    '{"manage": "migrate"}',
    '{"Records": [{"eventSource": "aws:sqs"}]}',
]


@pytest.fixture
def queue(stack, monkeypatch, settings):
    """The two queues of an embedded AWS; messages that failed are shown again at once."""
    monkeypatch.setattr(clients, "client", stack.client)
    monkeypatch.setattr(queues, "FIRST_WAIT", 0)
    dead = resources.ensure_queue(settings.DEAD_LETTER_QUEUE)
    resources.ensure_queue(settings.UPLOAD_EVENTS_QUEUE, visibility=2, dead_letters=dead)
    return stack.client("sqs")


def url_of(queue, name):
    return queue.get_queue_url(QueueName=name)["QueueUrl"]


def relayed(handler, until, seconds=30):
    stop = threading.Event()
    thread = threading.Thread(target=uploads.relay_uploads, args=(Entry(handler, stop), stop))
    thread.start()
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join()


def left(queue, name):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = queue.get_queue_attributes(QueueUrl=url_of(queue, name), AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


@requirement("C1", "G2")
def test_what_does_not_parse_becomes_a_dead_letter_and_holds_nothing_up(queue, settings, monkeypatch):
    encrypted: list[dict[str, object]] = []
    monkeypatch.setattr(queues, "handle_uploads", encrypted.append)
    url = url_of(queue, settings.UPLOAD_EVENTS_QUEUE)
    for body in [*filter(None, POISON), json.dumps(NOTIFICATION)]:
        queue.send_message(QueueUrl=url, MessageBody=body)
    relayed(lambda_handler.handler, lambda: left(queue, settings.UPLOAD_EVENTS_QUEUE) == 0)
    assert encrypted == [NOTIFICATION]
    dead = set()
    while answer := queue.receive_message(
        QueueUrl=url_of(queue, settings.DEAD_LETTER_QUEUE), MaxNumberOfMessages=10
    ).get("Messages"):
        dead |= {message["Body"] for message in answer}
    assert dead == set(filter(None, POISON))


@requirement("C1")
def test_a_message_stays_hidden_while_it_is_worked_on(queue, settings, monkeypatch):
    monkeypatch.setattr(uploads, "HIDDEN_SECONDS", 2)
    monkeypatch.setattr(uploads, "PROLONG_SECONDS", 0.5)
    calls = []

    def handler(event, context):
        calls.append(event["Records"][0]["messageId"])
        time.sleep(4)

    url = url_of(queue, settings.UPLOAD_EVENTS_QUEUE)
    queue.send_message(QueueUrl=url, MessageBody=json.dumps(NOTIFICATION))
    seen: list[object] = []

    def nobody_else():
        seen.extend(
            queue.receive_message(QueueUrl=url, WaitTimeSeconds=0).get("Messages", []) if calls else []
        )
        return left(queue, settings.UPLOAD_EVENTS_QUEUE) == 0

    relayed(handler, nobody_else)
    assert (len(calls), seen) == (1, [])


@requirement("C1")
def test_a_message_whose_receipt_was_lost_is_soon_shown_again(queue, settings):
    url = url_of(queue, settings.UPLOAD_EVENTS_QUEUE)
    queue.send_message(QueueUrl=url, MessageBody=json.dumps(NOTIFICATION))
    assert queue.receive_message(QueueUrl=url)["Messages"]  # and nobody knows of it
    calls = []
    relayed(lambda event, _: calls.append(event), lambda: bool(calls), seconds=5)
    assert json.loads(calls[0]["Records"][0]["body"]) == NOTIFICATION
    assert calls[0]["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"


@requirement("E6", "G2")
def test_what_s3_has_thawed_makes_a_message_that_the_entry_knows(queue, stack, settings, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(archive, "resume_thawed", lambda key, **_: told.append(key))
    url = url_of(queue, settings.UPLOAD_EVENTS_QUEUE)
    arn = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    resources.ensure_bucket(settings.ENCRYPTED_BUCKET, versioned=True)
    resources.notify(settings.ENCRYPTED_BUCKET, arn, of="s3:ObjectRestore:Completed")
    s3 = stack.client("s3")
    place = {"Bucket": settings.ENCRYPTED_BUCKET, "Key": "files/1/archiving.v1.00ff"}
    s3.put_object(**place, Body=b"cold", StorageClass="GLACIER")
    s3.restore_object(**place, RestoreRequest={"Days": 1, "GlacierJobParameters": {"Tier": "Standard"}})
    relayed(lambda_handler.handler, lambda: bool(told))
    assert told == [place["Key"]]
