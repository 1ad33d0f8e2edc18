"""The bucket's notifications, taken from their queue and handed to the entry as Lambda's poller does.

A message stays hidden while it is worked on, for a short time that is prolonged: one whose receipt was lost on the way
is soon shown again. What fails is shown again after a back-off, and SQS moves it to the dead letters in the end.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from apps.common import aws
from apps.stack.invocation import Entry, log_failure

log = logging.getLogger(__name__)
WAIT_SECONDS = 2  # of one long poll: also how long stopping may take
HIDDEN_SECONDS = 60
PROLONG_SECONDS = 20.0


def relay_uploads(entry: Entry, stop: threading.Event) -> None:
    """Take messages until told to stop."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=settings.UPLOAD_EVENTS_QUEUE)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    while not stop.is_set():
        # One at a time: what is not taken yet is free for the other thread.
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=WAIT_SECONDS, AttributeNames=["All"]
        )
        for message in answer.get("Messages", []):
            with hidden(url, message["ReceiptHandle"]):
                settled = settle(entry, message, arn)
            if settled:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def settle(entry: Entry, message: Mapping[str, Any], arn: str) -> bool:
    """Hand one message to the entry; return whether it took it. One that it did not take stays in the queue."""
    try:
        answer = entry.call({"Records": [as_record(message, arn)]})
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failure, not the relay's
        log_failure("uploads", int(message["Attributes"]["ApproximateReceiveCount"]), error)
        return False
    return not (answer or {}).get("batchItemFailures")


def as_record(message: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """A message of SQS as Lambda receives it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message["Attributes"]),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


@contextmanager
def hidden(url: str, receipt: str) -> Iterator[None]:
    """Keep a message from being shown to anybody else within the block."""
    done = threading.Event()
    thread = threading.Thread(target=_prolong, args=(url, receipt, done), name="prolong", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _prolong(url: str, receipt: str, done: threading.Event) -> None:
    while not done.wait(PROLONG_SECONDS):
        try:
            aws.client("sqs").change_message_visibility(
                QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=HIDDEN_SECONDS
            )
        except (BotoCoreError, ClientError) as error:  # at worst it is worked on twice, of which one commits
            log.warning("uploads: a message was not kept hidden: %s", type(error).__name__)
