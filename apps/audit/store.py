"""The audit table: chains of entries, one head for each chain."""

from collections.abc import Iterator
from typing import Any, Self

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.constants import STREAM_NEW_IMAGE
from pynamodb.indexes import GlobalSecondaryIndex

from apps.audit import places
from apps.audit.chain import names
from apps.audit.records import Archived, Entry, Head, Outcome, Signer
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import (
    EnumAttribute,
    ObjectAttribute,
    Page,
    Position,
    Span,
    Table,
    TimeAttribute,
    authentic,
    feed,
    index,
    meta,
    page,
    sort_key,
)

LISTED = "all"
SIGNERS = "checkpoints"
ARCHIVE = "archive"


class EntryTable(Table[Entry]):
    Meta = meta("audit", stream_view_type=STREAM_NEW_IMAGE)  # read by apps.following
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
    detail = ObjectAttribute()
    rows = ObjectAttribute(default=dict)
    previous_hash = UnicodeAttribute()
    hash = UnicodeAttribute()
    format = NumberAttribute(default=0)
    hashed_under = UnicodeAttribute(default="")
    actor_feed = UnicodeAttribute(null=True)
    key_feed = UnicodeAttribute(null=True)
    session_feed = UnicodeAttribute(null=True)
    file_feed = UnicodeAttribute(null=True)
    approval_feed = UnicodeAttribute(null=True)

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        return super().from_raw_data(places.as_told(data))

    def serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:
        return places.as_stored(super().serialize(null_check))

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
            **{f"{name}_feed": feed(value, identifier) if value else None for name, value in by.items()},
        }


class HeadTable(Table[Head]):
    Meta = meta("audit-heads")
    record_type = Head
    undeciding = "Each head carries a seal of its own; a wrong one only makes the next write fail, or is found by verify_audit."

    chain = UnicodeAttribute(hash_key=True)
    sequence = NumberAttribute()
    hash = UnicodeAttribute()
    seal = UnicodeAttribute()
    timestamp = UnicodeAttribute(default="")


class SignerTable(Table[Signer]):
    Meta = meta("audit-signers")
    record_type = Signer

    place = UnicodeAttribute(hash_key=True)
    signer_id = UnicodeAttribute(range_key=True)
    public_key = BinaryAttribute(legacy_encoding=False)
    wrapped_seed = BinaryAttribute(legacy_encoding=False)
    root_key_id = UnicodeAttribute()
    created_at = TimeAttribute()


class ArchiveTable(Table[Archived]):
    Meta = meta("audit-archives")
    record_type = Archived

    place = UnicodeAttribute(hash_key=True)
    chain = UnicodeAttribute(range_key=True)
    through = NumberAttribute()
    hash = UnicodeAttribute()
    timestamp = UnicodeAttribute()


INDEXES: dict[str, GlobalSecondaryIndex[Any]] = {
    "actor": EntryTable.by_actor,
    "key": EntryTable.by_key,
    "session": EntryTable.by_session,
    "file": EntryTable.by_file,
    "approval": EntryTable.by_approval,
}


def entries_page(
    *,
    limit: int,
    position: Position | None,
    by: str | None = None,
    value: str = "",
    span: Span | None = None,
) -> Page[Entry]:
    """Read a page of all entries, or of those of one actor, key, session, file or approval, newest first."""
    if by is None:
        return page(EntryTable.by_feed, LISTED, limit=limit, position=position, span=span)
    return page(INDEXES[by], value, limit=limit, position=position, span=span)


def walk(chain: str, *, after: int = 0) -> Iterator[Entry]:
    """Yield the entries of a chain from its first, or the one that follows a number, read consistently."""
    for row in walk_rows(chain, after=after):
        yield row.record()


def walk_rows(chain: str, *, after: float = 0) -> Iterator[Table[Entry]]:
    """Yield the rows of a chain likewise, with their place in the lists."""
    yield from EntryTable.query(chain, EntryTable.sequence > after, consistent_read=True)


def walk_whole(chain: str, *, after: float) -> Iterator[Entry]:
    """Yield the entries of a chain likewise; a row that nothing can be made of is left out."""
    for entry in authentic(walk_rows(chain, after=after)):
        if entry.timestamp is not None:
            yield entry


def head(chain: str) -> Head | None:
    """Read where a chain ends; return None before its first entry."""
    return HeadTable.find(chain)


def chains_with_head() -> list[str]:
    """Read which chains have a head, of all that there can be."""
    return [str(row.key) for row in _heads()]


def heads() -> list[Head]:
    """Read where every chain ends; a head that nothing can be made of is left out."""
    return list(authentic(_heads()))


def entry_of_image(image: dict[str, Any]) -> Entry:
    """Return the entry of a row as the table's stream brings it.

    Raises:
        RecordForged: nothing can be made of it.
    """
    entry = EntryTable.from_raw_data(image).record()
    if entry.chain is None or entry.sequence is None or entry.timestamp is None:
        raise RecordForged("A row of the audit table is no entry.")
    return entry


def counted_entries() -> int:
    """Read how many entries the heads count, without those that nothing can be made of."""
    return sum(head.sequence for head in heads())


def _heads() -> Iterator[Table[Head]]:
    # Not by a Scan, which the API's function may not do
    yield from HeadTable.batch_get(names(), consistent_read=True)


def signers() -> list[Signer]:
    """Read every key that signs or signed checkpoints; a forged one is left out."""
    return list(authentic(SignerTable.query(SIGNERS, consistent_read=True)))


def archived() -> list[Archived]:
    """Read up to where each chain was archived; a forged row is left out."""
    return list(authentic(ArchiveTable.query(ARCHIVE, consistent_read=True)))
