"""The table of detections."""

from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from apps.common.dynamodb import (
    DocumentAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    feed,
    is_key,
    keys_index,
    meta,
    page,
    sort_key,
)
from apps.detections.records import WORTH_A_LOOK, Detection, verdict_of

LISTED = "all"


class DetectionTable(Table[Detection]):
    Meta = meta("detections")
    record_type = Detection
    by_feed = keys_index("feed", "feed")
    by_owner = keys_index("by_owner", "owner_feed")
    # Only what is worth a look: compromised or anomalous.
    by_verdict = keys_index("by_verdict", "verdict_feed")

    session_id = UnicodeAttribute(hash_key=True)
    detection_timestamp = NumberAttribute(range_key=True)
    detected_at = TimeAttribute()
    owner = UnicodeAttribute()
    link = UnicodeAttribute()
    outcome = UnicodeAttribute()
    qber_calculated = NumberAttribute()
    threshold = NumberAttribute()
    chi_square_value = NumberAttribute()
    is_compromised = BooleanAttribute()
    is_anomalous = BooleanAttribute()
    confidence_level = NumberAttribute()
    p_values = DocumentAttribute()
    reasons = DocumentAttribute()
    tests = DocumentAttribute()
    owner_feed = UnicodeAttribute(null=True)
    verdict_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Detection) -> dict[str, Any]:
        verdict = verdict_of(record)
        return {
            "feed": feed(LISTED, record.session_id),
            "owner_feed": feed(record.owner, record.session_id),
            "verdict_feed": feed(verdict, record.session_id) if verdict in WORTH_A_LOOK else None,
            "sort": sort_key(record.detected_at, record.session_id),
        }


def of_session(session_id: str) -> Detection | None:
    """The latest verdict on a session, read consistently."""
    if not is_key(session_id):
        return None
    rows = DetectionTable.query(session_id, consistent_read=True, scan_index_forward=False, limit=1)
    row = next(iter(rows), None)
    return row.record() if row else None


def detections_page(
    *, limit: int, position: Position | None, owner: str | None = None, verdict: str | None = None
) -> Page[Detection]:
    """Detections newest first: all, of one owner's sessions, or of one verdict."""
    if owner is not None:
        return page(DetectionTable.by_owner, owner, limit=limit, position=position)
    if verdict is not None:
        return page(DetectionTable.by_verdict, verdict, limit=limit, position=position)
    return page(DetectionTable.by_feed, LISTED, limit=limit, position=position)
