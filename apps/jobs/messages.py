"""The SQS message of a running job: SQS delivers it again after ``visibility_timeout`` unless that is extended."""

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from celery import current_app
from django.conf import settings

from apps.common import aws

log = logging.getLogger(__name__)


def keep_hidden(request: Any) -> None:
    """Hide a running task's message for another full time-out.

    Where that fails, SQS delivers the message again, which is harmless: the job's run decides who works on it.

    Args:
        request: the running task's request; a task that was called directly has no message.
    """
    receipt = (request.properties or {}).get("delivery_tag")
    if receipt is None:
        return
    seconds = current_app.conf.broker_transport_options["visibility_timeout"]
    sqs = aws.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=settings.JOBS_QUEUE)["QueueUrl"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
    except (ClientError, BotoCoreError) as error:
        log.warning("the message of %s may be delivered again: %s", request.id, type(error).__name__)
