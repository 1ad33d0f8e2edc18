"""The table of alerts."""

from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from apps.alerts.records import Alert, AlertStatus, Urgency
from apps.common.dynamodb import (
    EnumAttribute,
    ObjectAttribute,
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

LISTED = "all"


class AlertTable(Table[Alert]):
    Meta = meta("alerts")
    record_type = Alert
    outside = frozenset({"times", "last_at"})
    by_feed = index("feed", "feed")
    by_status = index("by_status", "status_feed")

    alert_id = UnicodeAttribute(hash_key=True)
    condition = UnicodeAttribute()
    about = UnicodeAttribute()
    urgency = EnumAttribute(Urgency)
    text = UnicodeAttribute()
    status = EnumAttribute(AlertStatus)
    raised_at = TimeAttribute()
    detail = ObjectAttribute(default=dict)
    sent_at = TimeAttribute(null=True)
    escalated_at = TimeAttribute(null=True)
    acknowledged_by = UnicodeAttribute(null=True)
    acknowledged_at = TimeAttribute(null=True)
    times = NumberAttribute(default=1)
    last_at = TimeAttribute(null=True)
    status_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Alert) -> dict[str, Any]:
        return {
            "feed": feed(LISTED, record.alert_id),
            "status_feed": feed(record.status, record.alert_id),
            "sort": sort_key(record.raised_at, record.alert_id),
        }


def alerts_page(*, limit: int, position: Position | None, status: AlertStatus | None = None) -> Page[Alert]:
    """Alerts, those raised last first: all, or of one status."""
    if status is not None:
        return page(AlertTable.by_status, status, limit=limit, position=position)
    return page(AlertTable.by_feed, LISTED, limit=limit, position=position)
