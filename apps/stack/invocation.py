"""Calling the platform's Lambda entry as AWS does: a context, retries with back-off, the dead-letter queue."""

import json
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from apps.common import aws
from apps.common.errors import place_of

log = logging.getLogger(__name__)

Event = dict[str, Any]
FUNCTION_NAME = "qkd-local"
FUNCTION_ARN = f"arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION_NAME}"
TIMEOUT_SECONDS = 900.0  # Lambda's longest
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between the attempts at a stream's batch
ASYNC_WAITS = (60.0, 120.0)  # seconds before the second and the third attempt, as Lambda waits


class Stopping(Exception):
    """The relay was told to stop in the middle of a retry; the event stays where it came from."""


@dataclass(frozen=True)
class LambdaContext:
    """What a handler may ask its surroundings."""

    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_name: str = FUNCTION_NAME
    function_version: str = "$LATEST"
    invoked_function_arn: str = FUNCTION_ARN
    memory_limit_in_mb: int = 1024
    log_group_name: str = f"/aws/lambda/{FUNCTION_NAME}"
    log_stream_name: str = "local"
    identity: None = None
    client_context: None = None
    deadline: float = field(default_factory=lambda: time.monotonic() + TIMEOUT_SECONDS)

    def get_remaining_time_in_millis(self) -> int:
        """Until the deadline; nothing enforces it here."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


Handler = Callable[[Event, LambdaContext], Any]


class Entry:
    """The handler, with what happens when it fails."""

    def __init__(self, handler: Handler, stop: threading.Event) -> None:
        self._handler = handler
        self._stop = stop

    def call(self, event: Event) -> Any:
        """One invocation."""
        return self._handler(event, LambdaContext())

    def deliver(self, event: Event, *, source: str) -> bool:
        """An asynchronous invocation: retries, then the dead-letter queue. True where the handler took it.

        Raises:
            Stopping: before it was settled.
        """
        for attempt in range(1, len(ASYNC_WAITS) + 2):
            try:
                self.call(event)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failure, not the relay's
                failure = error
                log_failure(source, attempt, error)
            else:
                return True
            if attempt <= len(ASYNC_WAITS):
                self._pause(ASYNC_WAITS[attempt - 1])
        bury(event, failure, source=source, condition="RetriesExhausted", attempts=len(ASYNC_WAITS) + 1)
        return False

    def wait(self, attempt: int) -> None:
        """Exponential back-off with jitter after the given attempt.

        Raises:
            Stopping: instead of waiting on.
        """
        self._pause(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopping


def log_failure(source: str, attempt: int, error: BaseException) -> None:
    """Where it failed, without the message (I2)."""
    log.error("%s: attempt %d failed with %s", source, attempt, place_of(error))


def bury(
    event: Event, error: BaseException, *, source: str, condition: str, attempts: int, **batch: Any
) -> None:
    """Put an event into the dead-letter queue, as Lambda's on-failure destination writes it.

    ``requestPayload`` is the event itself, so that it can be sent through the entry again.
    """
    document = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": f"{FUNCTION_ARN}:$LATEST",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": type(error).__name__, "source": source},
        **batch,
    }
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(document))
    log.error("%s: given up after %d attempts, now in %s", source, attempts, settings.DEAD_LETTER_QUEUE)
