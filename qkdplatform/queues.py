"""Events of SQS: a message of the jobs queue runs its Celery task, one of the uploads queue tells of objects.

A message that fails is named in the answer (``ReportBatchItemFailures``), so that SQS keeps it, shows it again after
a back-off, and moves it to the dead-letter queue in the end. The event source mappings deliver one message at a time.
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from apps.common import aws
from apps.common.errors import place_of
from apps.files.events import handle_uploads
from apps.jobs.delivery import run_message
from qkdplatform.errors import UnknownEvent

log = logging.getLogger(__name__)
# Seconds until a failed message is shown again, doubled at each delivery. Else the queue's time-out would decide, which
# is six times the worker's.
FIRST_WAIT, LONGEST_WAIT = 30, 900


def handle_queue(event: Mapping[str, Any], context: Any) -> Mapping[str, Any]:
    """Handle the messages of one queue; the answer names those that failed.

    Raises:
        UnknownEvent: their queue is none of those that the platform reads.
    """
    handlers = {
        settings.JOBS_QUEUE: _job,
        settings.CUSTODY_QUEUE: _job,
        settings.UPLOAD_EVENTS_QUEUE: _upload,
    }
    queues = {_queue_of(record) for record in event["Records"]}
    if len(queues) != 1 or not queues <= handlers.keys():
        raise UnknownEvent(f"no handler for messages of {sorted(queues)}")
    queue = queues.pop()
    # One for each event, as it keeps what failed. That every message failed is no failure of the function.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def handle(record: SQSRecord) -> None:
        _or_back_off(handlers[queue], record, queue)

    return process_partial_response(
        event=dict(event), record_handler=handle, processor=processor, context=context
    )


def _queue_of(record: Mapping[str, Any]) -> str:
    return str(record.get("eventSourceARN")).rpartition(":")[2]


def _job(record: SQSRecord) -> None:
    run_message(record.body, receipt=record.receipt_handle)


def _upload(record: SQSRecord) -> None:
    """Encrypt what S3 tells of, which is all that this queue may bring."""
    event = json.loads(record.body)
    if not isinstance(event, dict):
        raise UnknownEvent("a notification of S3 is an object")
    if event.get("Event") == "s3:TestEvent":  # sent when the notification is set up
        return
    told = event.get("Records") or []
    if not told or any(entry.get("eventSource") != "aws:s3" for entry in told):
        raise UnknownEvent("the queue of uploads takes events of S3 only")
    handle_uploads(event)


def _or_back_off(handle: Callable[[SQSRecord], None], record: SQSRecord, queue: str) -> None:
    try:
        handle(record)
    except Exception as error:
        log.error("%s: message %s failed at %s", queue, record.message_id, place_of(error))  # noqa: TRY400 - I2
        _show_again(record, queue)
        raise


def _show_again(record: SQSRecord, queue: str) -> None:
    """Show a failed message again after a back-off; if that fails, when its time-out ends."""
    deliveries = int(record.attributes.approximate_receive_count or 1)
    seconds = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (deliveries - 1))
    sqs = aws.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=seconds
        )
    except (ClientError, BotoCoreError) as error:
        log.warning("%s: no back-off: %s", queue, type(error).__name__)
