"""The table of approvals."""

from typing import Any

from pynamodb.attributes import UnicodeAttribute

from apps.common.dynamodb import (
    DocumentAttribute,
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    feed,
    index,
    meta,
    page,
    sort_key,
)
from apps.custody.records import Approval, ApprovalStatus, Guarded

LISTED = "all"


class ApprovalTable(Table[Approval]):
    Meta = meta("approvals")
    record_type = Approval
    by_feed = index("feed", "feed")
    # What waits for a second person, and what was decided.
    by_status = index("by_status", "status_feed")

    approval_id = UnicodeAttribute(hash_key=True)
    action = EnumAttribute(Guarded)
    subject = UnicodeAttribute()
    status = EnumAttribute(ApprovalStatus)
    reason = UnicodeAttribute()
    requested_by = UnicodeAttribute()
    requested_at = TimeAttribute()
    expires_at = TimeAttribute()
    parameters = DocumentAttribute()
    decided_by = UnicodeAttribute(null=True)
    decided_at = TimeAttribute(null=True)
    used_at = TimeAttribute(null=True)
    status_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Approval) -> dict[str, Any]:
        return {
            "feed": feed(LISTED, record.approval_id),
            "status_feed": feed(record.status, record.approval_id),
            "sort": sort_key(record.requested_at, record.approval_id),
        }


def approvals_page(*, limit: int, position: Position | None, status: ApprovalStatus | None) -> Page[Approval]:
    """All approvals, or those of one status, newest first."""
    if status is None:
        return page(ApprovalTable.by_feed, LISTED, limit=limit, position=position)
    return page(ApprovalTable.by_status, status, limit=limit, position=position)
