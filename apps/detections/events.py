"""The stream of the sessions table: every new session is judged (B1)."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from apps.audit.records import system
from apps.detections import services
from apps.sessions.records import SessionStatus

DETECTOR = system("detector")
_processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


def _judge(record: DynamoDBRecord, histories: services.Histories) -> None:
    """Judge the session that a record inserts; skip every other change, the detector's own included."""
    change = record.dynamodb
    image: Mapping[str, Any] = (change.new_image if change else None) or {}
    if (
        record.event_name is not None
        and record.event_name.name == "INSERT"
        and image.get("status") == SessionStatus.PENDING
    ):
        services.judge(image["session_id"], actor=DETECTOR, histories=histories)


def handle_stream(event: dict[str, Any], context: Any) -> Mapping[str, Any]:
    """Judge a batch of records; the answer names those to deliver again."""
    handle = partial(_judge, histories=services.Histories())
    return process_partial_response(event=event, record_handler=handle, processor=_processor, context=context)
