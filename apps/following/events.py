"""The stream of the audit table: every new entry is brought to whoever follows the trail."""

from collections.abc import Mapping
from typing import Any

from apps.audit.records import Entry
from apps.audit.services import entry_of_image
from apps.common.authenticated import RecordForged
from apps.following import services


def handle_stream(event: dict[str, Any], _context: Any) -> Mapping[str, Any]:
    """Bring a batch of entries to all followers. Where one fails, the whole batch comes again: places see to the rest."""
    entries = [entry for record in event["Records"] if (entry := _entry(record)) is not None]
    if entries:
        services.deliver(entries)
    return {"batchItemFailures": []}


def _entry(record: Mapping[str, Any]) -> Entry | None:
    """The entry that a record inserts; None of any other change, and of a row that is no entry."""
    image = record.get("dynamodb", {}).get("NewImage")
    if record.get("eventName") != "INSERT" or not image:
        return None
    try:
        return entry_of_image(image)
    except RecordForged:  # logged there; verify_audit finds it
        return None
