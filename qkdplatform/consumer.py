"""Celery's worker, keeping what it cannot run: Celery itself deletes a message that it does not understand."""

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from celery.worker.consumer.consumer import Consumer
from django.conf import settings

from apps.common import aws

log = logging.getLogger(__name__)


class KeepingConsumer(Consumer):
    """Puts a message that no task can be made of into the dead-letter queue, as it came."""

    connection_errors: tuple[type[Exception], ...]

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002 - Celery's signature
        self._bury(message, "not a message of Celery")

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        self._bury(message, "of an unknown task")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        self._bury(message, "of a task that takes other arguments")

    def on_decode_error(self, message: Any, exc: Exception) -> None:  # noqa: ARG002
        self._bury(message, "not readable")

    def _bury(self, message: Any, why: str) -> None:
        """Without what it says: it can say anything (I2). Where it cannot be kept it stays, and is shown again."""
        found = message.delivery_info["sqs_message"]
        sqs = aws.client("sqs")
        try:
            url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=found["Body"])
        except (BotoCoreError, ClientError) as error:
            log.error(  # noqa: TRY400 - what AWS says is no news here
                "message %s is %s, and could not be kept: %s", found["MessageId"], why, type(error).__name__
            )
            # Else it would keep its place among those fetched, and a worker that has one place would fetch no other
            message.reject_log_error(log, self.connection_errors)
            return
        log.error("message %s is %s, now in %s", found["MessageId"], why, settings.DEAD_LETTER_QUEUE)
        # Acknowledged, which deletes it: a message that is rejected is shown again
        message.ack_log_error(log, self.connection_errors)
