"""The SQS message of a running job: SQS shows it again after VISIBLE_SECONDS unless that is extended."""

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from apps.common import aws

log = logging.getLogger(__name__)
# Short, so that a message whose worker died, or whose delivery was lost, is soon shown again. In the cloud the queue's
# own time-out must exceed the function's; the first extension then brings it down to this.
VISIBLE_SECONDS = 60


def keep_hidden(request: Any, queue: str) -> None:
    """Hide a running task's message for another full time-out.

    Where that fails, SQS delivers the message again, which is harmless: the job's run decides who works on it.

    Args:
        request: the running task's request; a task that was called directly has no message.
        queue: the name of the queue that the message came through.
    """
    receipt = (request.properties or {}).get("delivery_tag")
    if receipt is None:
        return
    sqs = aws.client("sqs")
    try:
        url = _url_of(queue)
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=VISIBLE_SECONDS)
    except (ClientError, BotoCoreError) as error:
        log.warning("the message of %s may be delivered again: %s", request.id, type(error).__name__)


def others_wait(queue: str) -> bool:
    """Return whether messages wait in a queue, as far as SQS knows; not where it does not answer."""
    try:
        found = aws.client("sqs").get_queue_attributes(
            QueueUrl=_url_of(queue), AttributeNames=["ApproximateNumberOfMessages"]
        )
    except (ClientError, BotoCoreError) as error:
        log.warning("whether others wait in %s is not known: %s", queue, type(error).__name__)
        return False
    return int(found["Attributes"]["ApproximateNumberOfMessages"]) > 0


def _url_of(queue: str) -> str:
    """The address of a queue: in the cloud its settings give it, so that no process has to ask."""
    told = {settings.JOBS_QUEUE: settings.JOBS_QUEUE_URL, settings.CUSTODY_QUEUE: settings.CUSTODY_QUEUE_URL}
    return told.get(queue) or aws.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
