"""The bucket's notifications, taken from their queue and handed to the entry as S3 itself would."""

import json
import logging
import threading
from typing import Any

from django.conf import settings

from apps.common import aws
from apps.stack.invocation import Entry

log = logging.getLogger(__name__)
WAIT_SECONDS = 2  # of one long poll: also how long stopping may take


def relay_uploads(entry: Entry, stop: threading.Event) -> None:
    """Take messages until told to stop."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=settings.UPLOAD_EVENTS_QUEUE)["QueueUrl"]
    while not stop.is_set():
        # One at a time: what is not taken yet is free for the other thread.
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=WAIT_SECONDS)
        for message in answer.get("Messages", []):
            settle(entry, message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def settle(entry: Entry, body: str) -> None:
    """Deliver one notification, or bury it.

    Raises:
        Stopping: before it was settled; the message stays in the queue.
    """
    event: Any = json.loads(body)
    if event.get("Event") == "s3:TestEvent":  # sent when the notification is set up
        return
    entry.deliver(event, source="upload")
