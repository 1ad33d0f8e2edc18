"""Tables of cases and their notes."""

from typing import Any

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from apps.cases.records import Case, CaseStatus, Note, Severity
from apps.common.dynamodb import (
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    WordsAttribute,
    feed,
    index,
    meta,
    page,
    sort_key,
)

LISTED = "all"


class CaseTable(Table[Case]):
    Meta = meta("cases")
    record_type = Case
    by_feed = index("feed", "feed")
    by_status = index("by_status", "status_feed")
    by_link = index("by_link", "link_feed")

    case_id = UnicodeAttribute(hash_key=True)
    session_id = UnicodeAttribute()
    link = UnicodeAttribute()
    owner = UnicodeAttribute()
    verdict = UnicodeAttribute()
    severity = EnumAttribute(Severity)
    study = BooleanAttribute()
    reasons = WordsAttribute()
    opened_at = TimeAttribute()
    window_from = TimeAttribute()
    status = EnumAttribute(CaseStatus)
    acknowledged_by = UnicodeAttribute(null=True)
    acknowledged_at = TimeAttribute(null=True)
    closed_by = UnicodeAttribute(null=True)
    closed_at = TimeAttribute(null=True)
    resolution = UnicodeAttribute(null=True)
    status_feed = UnicodeAttribute(null=True)
    link_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Case) -> dict[str, Any]:
        return {
            "feed": feed(LISTED, record.case_id),
            "status_feed": feed(record.status, record.case_id),
            "link_feed": feed(record.link, record.case_id),
            "sort": sort_key(record.opened_at, record.case_id),
        }


class NoteTable(Table[Note]):
    Meta = meta("case-notes")
    record_type = Note
    by_case = index("by_case", "case_feed")

    case_id = UnicodeAttribute(hash_key=True)
    note_id = UnicodeAttribute(range_key=True)
    noted_at = TimeAttribute()
    author = UnicodeAttribute()
    text = UnicodeAttribute()
    case_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Note) -> dict[str, Any]:
        return {
            "case_feed": feed(record.case_id, record.note_id),
            "sort": sort_key(record.noted_at, record.note_id),
        }


def cases_page(
    *, limit: int, position: Position | None, status: CaseStatus | None = None, link: str | None = None
) -> Page[Case]:
    """Cases newest first: all, or of one status or link."""
    if status is not None:
        return page(CaseTable.by_status, status, limit=limit, position=position)
    if link is not None:
        return page(CaseTable.by_link, link, limit=limit, position=position)
    return page(CaseTable.by_feed, LISTED, limit=limit, position=position)


def notes_page(case_id: str, *, limit: int, position: Position | None) -> Page[Note]:
    """Notes on a case, newest first."""
    return page(NoteTable.by_case, case_id, limit=limit, position=position)
