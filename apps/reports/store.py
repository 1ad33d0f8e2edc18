"""The table of reports."""

from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from apps.common.dynamodb import (
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
from apps.reports.records import Report

LISTED = "all"


class ReportTable(Table[Report]):
    Meta = meta("reports")
    record_type = Report
    by_feed = index("feed", "feed")

    report_id = UnicodeAttribute(hash_key=True)
    since = TimeAttribute()
    until = TimeAttribute()
    made_at = TimeAttribute()
    made_by = UnicodeAttribute()
    entries = NumberAttribute()
    files = ObjectAttribute()

    @classmethod
    def index_keys(cls, record: Report) -> dict[str, Any]:
        return {"feed": feed(LISTED, record.report_id), "sort": sort_key(record.made_at, record.report_id)}


def reports_page(*, limit: int, position: Position | None) -> Page[Report]:
    """Reports, those made last first."""
    return page(ReportTable.by_feed, LISTED, limit=limit, position=position)
