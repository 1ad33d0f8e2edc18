"""The audit table: chains of entries, one head for each chain."""

from collections.abc import Iterator
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex

from apps.audit.records import Entry, Head, Outcome
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

LISTED = "all"


class EntryTable(Table[Entry]):
    Meta = meta("audit")
    record_type = Entry
    undeciding = "Each entry carries a keyed hash of its own, over its content and the hash before it; it is checked where an entry decides."
    by_feed = index("feed", "feed")
    by_actor = index("by_actor", "actor_feed")
    by_key = index("by_key", "key_feed")
    by_session = index("by_session", "session_feed")
    by_file = index("by_file", "file_feed")
    # What was done about an approval; refusals are left out, so that nobody can bury it under attempts.
    by_approval = index("by_approval", "approval_feed")

    chain = UnicodeAttribute(hash_key=True)
    sequence = NumberAttribute(range_key=True)
    timestamp = TimeAttribute()
    event = UnicodeAttribute()
    outcome = EnumAttribute(Outcome)
    actor = UnicodeAttribute()
    source_ip = UnicodeAttribute(null=True)
    via = UnicodeAttribute(null=True)
    key_id = UnicodeAttribute(null=True)
    session_id = UnicodeAttribute(null=True)
    file_id = UnicodeAttribute(null=True)
    detail = DocumentAttribute()
    rows = DocumentAttribute(default=dict)
    previous_hash = UnicodeAttribute()
    hash = UnicodeAttribute()
    actor_feed = UnicodeAttribute(null=True)
    key_feed = UnicodeAttribute(null=True)
    session_feed = UnicodeAttribute(null=True)
    file_feed = UnicodeAttribute(null=True)
    approval_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Entry) -> dict[str, Any]:
        identifier = f"{record.chain}-{record.sequence:012d}"
        by = {
            "actor": record.actor,
            "key": record.key_id,
            "session": record.session_id,
            "file": record.file_id,
            "approval": record.detail.get("approval_id") if record.outcome is Outcome.OK else None,
        }
        return {
            "feed": feed(LISTED, identifier),
            "sort": sort_key(record.timestamp, identifier),
            **{f"{name}_feed": feed(value, identifier) for name, value in by.items() if value},
        }


class HeadTable(Table[Head]):
    Meta = meta("audit-heads")
    record_type = Head
    undeciding = "Each head carries a seal of its own; a wrong one only makes the next write fail, or is found by verify_audit."

    chain = UnicodeAttribute(hash_key=True)
    sequence = NumberAttribute()
    hash = UnicodeAttribute()
    seal = UnicodeAttribute()


INDEXES: dict[str, GlobalSecondaryIndex[Any]] = {
    "actor": EntryTable.by_actor,
    "key": EntryTable.by_key,
    "session": EntryTable.by_session,
    "file": EntryTable.by_file,
    "approval": EntryTable.by_approval,
}


def entries_page(
    *, limit: int, position: Position | None, by: str | None = None, value: str = ""
) -> Page[Entry]:
    """Read a page of all entries, or of those of one actor, key, session, file or approval, newest first."""
    if by is None:
        return page(EntryTable.by_feed, LISTED, limit=limit, position=position)
    return page(INDEXES[by], value, limit=limit, position=position)


def walk(chain: str, *, after: int = 0) -> Iterator[Entry]:
    """Yield the entries of a chain from its first, or the one that follows a number, read consistently."""
    for row in walk_rows(chain, after=after):
        yield row.record()


def walk_rows(chain: str, *, after: int = 0) -> Iterator[Table[Entry]]:
    """Yield the rows of a chain likewise, with their place in the lists."""
    yield from EntryTable.query(chain, EntryTable.sequence > after, consistent_read=True)


def head(chain: str) -> Head | None:
    """Read where a chain ends; return None before its first entry."""
    return HeadTable.find(chain)
