"""The audit table's stream, as Lambda brings it: what entries there are, in events of its shape."""

from typing import Any

from django.conf import settings

from apps.audit.store import EntryTable
from tests.tables import rows

ARN = f"arn:aws:dynamodb:us-east-1:123456789012:table/{settings.TABLE_PREFIX}-audit/stream/2026-01-01T00:00:00.000"


def records() -> list[dict[str, Any]]:
    """Every entry that there is, as a record of the stream, in the order of each chain."""
    images = sorted(
        rows(EntryTable.Meta.table_name), key=lambda row: (row["chain"]["S"], int(row["sequence"]["N"]))
    )
    return [_record(number, image) for number, image in enumerate(images, 1)]


def _record(number: int, image: dict[str, Any]) -> dict[str, Any]:
    return {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": ARN,
        "dynamodb": {
            "Keys": {name: image[name] for name in ("chain", "sequence")},
            "NewImage": image,
            "SequenceNumber": f"{number:021d}",
            "StreamViewType": "NEW_IMAGE",
        },
    }


def event(some: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch of records."""
    return {"Records": some}
