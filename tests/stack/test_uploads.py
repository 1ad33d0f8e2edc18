"""The queue of uploads as Lambda's poller reads it: what is taken, what stays, and what becomes a dead letter."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.common import aws as clients
from apps.files.life import archive
from apps.stack import resources, uploads
from apps.stack.invocation import Entry
from qkdplatform import lambda_handler, queues
from tests import requirement
from tests.faults import watched
from tests.waiting import LIMIT_SECONDS, wait_for

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
    resources.ensure_queue(settings.UPLOAD_EVENTS_QUEUE, visibility=3600, dead_letters=dead)
    return stack.client("sqs")


def url_of(queue, name):
    return queue.get_queue_url(QueueName=name)["QueueUrl"]


def relayed(handler, until):
    """Relay until a condition holds; an error of the relay is the test's."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        relay = pool.submit(uploads.relay_uploads, Entry(handler, stop), stop)
        try:
            wait_for(until, work=relay)
        finally:
            stop.set()
    relay.result()


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
def test_a_message_is_kept_hidden_for_as_long_as_it_is_worked_on_and_no_longer(queue, settings, monkeypatch):
    monkeypatch.setattr(uploads, "HIDDEN_SECONDS", 1234)
    monkeypatch.setattr(uploads, "PROLONG_SECONDS", 0.01)
    made, enough, delivered = [], threading.Event(), []

    def note(call, client, operation, arguments):
        answer = call(client, operation, arguments)
        if operation in {"ChangeMessageVisibility", "DeleteMessage"}:
            made.append((operation, arguments["ReceiptHandle"], arguments.get("VisibilityTimeout")))
            if len(made) == 3:
                enough.set()
        return answer

    def handler(event, context):
        delivered.append((event["Records"][0]["receiptHandle"], enough.wait(LIMIT_SECONDS / 2)))

    queue.send_message(
        QueueUrl=url_of(queue, settings.UPLOAD_EVENTS_QUEUE), MessageBody=json.dumps(NOTIFICATION)
    )
    with watched(note):
        relayed(handler, lambda: left(queue, settings.UPLOAD_EVENTS_QUEUE) == 0)
    [(receipt, was_prolonged)] = delivered
    assert was_prolonged
    assert set(made[:-1]) == {("ChangeMessageVisibility", receipt, 1234)}
    assert made[-1] == ("DeleteMessage", receipt, None), "nothing is prolonged after the end"
    assert "prolong" not in {one.name for one in threading.enumerate()}


@requirement("C1")
def test_a_message_that_is_hidden_again_is_shown_to_nobody_else(queue, settings, monkeypatch):
    """What prolonging does: without it, the queue's own time-out would end, here at once."""
    monkeypatch.setattr(uploads, "HIDDEN_SECONDS", 1234)
    monkeypatch.setattr(uploads, "PROLONG_SECONDS", 0.01)
    url, prolonged = url_of(queue, settings.UPLOAD_EVENTS_QUEUE), threading.Event()
    queue.send_message(QueueUrl=url, MessageBody=json.dumps(NOTIFICATION))
    [message] = queue.receive_message(QueueUrl=url, VisibilityTimeout=3600)["Messages"]

    def note(call, client, operation, arguments):
        answer = call(client, operation, arguments)
        if operation == "ChangeMessageVisibility":
            prolonged.set()
        return answer

    queue.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    with watched(note), uploads.hidden(url, message["ReceiptHandle"]):
        assert prolonged.wait(LIMIT_SECONDS)
    assert "Messages" not in queue.receive_message(QueueUrl=url)


@requirement("C1")
def test_a_message_whose_receipt_was_lost_is_soon_shown_again(queue, settings):
    url = url_of(queue, settings.UPLOAD_EVENTS_QUEUE)
    queue.send_message(QueueUrl=url, MessageBody=json.dumps(NOTIFICATION))
    assert queue.receive_message(QueueUrl=url, VisibilityTimeout=1)["Messages"]  # and nobody knows of it
    calls = []
    relayed(lambda event, _: calls.append(event), lambda: bool(calls))
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
