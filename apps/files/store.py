"""The table of files: documents, versions, uploads and orphans, told apart by their kind."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from heapq import merge
from itertools import islice
from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action

from apps.common.authenticated import Record
from apps.common.dynamodb import (
    DocumentAttribute,
    EnumAttribute,
    PackedAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    authentic,
    count,
    feed,
    keys_index,
    meta,
    page,
    partitions,
    sort_key,
    whole,
)
from apps.common.transient import code_of
from apps.files.attributes import declared
from apps.files.records import DigestBy, Document, File, Named, Orphan, Row, StorageClass, Upload, Version
from apps.files.states import AT_REST, KEYED, FileStatus

NAME_BYTES = 800  # of a name, in the list by name
LISTED = "all"
ORPHANS = "orphan"  # beside the states in the index by state
MORTAL = frozenset({FileStatus.ENCRYPTED, FileStatus.ARCHIVING, FileStatus.ARCHIVED, FileStatus.RECALLING})
MOVING = frozenset({FileStatus.ARCHIVING, FileStatus.RECALLING})
SHREDDED = frozenset({FileStatus.SHREDDING, FileStatus.SHREDDED})


class Kind(StrEnum):
    """Which record a row holds."""

    DOCUMENT = "document"
    VERSION = "version"
    UPLOAD = "upload"
    ORPHAN = "orphan"


RECORDS: dict[Kind, type[Row]] = {
    Kind.DOCUMENT: Document,
    Kind.VERSION: Version,
    Kind.UPLOAD: Upload,
    Kind.ORPHAN: Orphan,
}
KINDS = {record: kind for kind, record in RECORDS.items()}


class FileTable(Table[Row]):
    Meta = meta("files")
    record_type = Named
    outside = frozenset({"look_after", "looks"})  # when the sweep looks at a move again
    by_feed = keys_index("feed", "feed")
    by_owner = keys_index("by_owner", "owner_feed")
    # Document type and time of upload (E6), all owners.
    by_type = keys_index("by_type", "type_feed")
    # Likewise, of one owner.
    by_owner_type = keys_index("by_owner_type", "owner_type_feed")
    # What is still sealed to a pool key: documents, versions and uploads, in one Query (I5).
    by_pool_key = keys_index("by_pool_key", "key_feed")
    # An owner's files by name, and by state.
    by_owner_name = keys_index("by_owner_name", "name_feed", order=("name_key", UnicodeAttribute))
    by_owner_status = keys_index("by_owner_status", "owner_status_feed")
    # An owner's files by the attribute that is declared for it (decision 60): sparse.
    by_attribute = keys_index("by_attribute", "attribute_feed")
    # What the sweep finishes, and the console filters by.
    by_status = keys_index("by_status", "status_feed")
    # The earlier versions of a document.
    by_document = keys_index("by_document", "document_feed")
    # Documents with a lifetime, the first to end first.
    by_expiry = keys_index("by_expiry", "expiry_feed", order=("expires_at", TimeAttribute))
    # Deleted documents, the first to be shredded first.
    by_shredding = keys_index("by_shredding", "shred_feed", order=("shred_after", TimeAttribute))
    # Documents that move to or from cold storage, the first to be looked at first.
    by_move = keys_index("by_move", "move_feed", order=("look_after", TimeAttribute))

    file_id = UnicodeAttribute(hash_key=True)
    kind = EnumAttribute(Kind)
    name = UnicodeAttribute(null=True)
    document_type = UnicodeAttribute(null=True)
    owner = UnicodeAttribute()
    status = EnumAttribute(FileStatus, null=True)
    uploaded_at = TimeAttribute(null=True)
    noted_at = TimeAttribute(null=True)
    attributes = DocumentAttribute(null=True)
    media_type = UnicodeAttribute(null=True)
    size = NumberAttribute(null=True)
    ciphertext_size = NumberAttribute(null=True)
    content_encoding = UnicodeAttribute(null=True)
    source_path = UnicodeAttribute(null=True)
    expires_at = TimeAttribute(null=True)
    asked = UnicodeAttribute(null=True)
    source = DocumentAttribute(null=True)
    body = DocumentAttribute()
    envelope = PackedAttribute("sealed", null=True)
    suite = UnicodeAttribute(null=True)
    pool_key_id = UnicodeAttribute(null=True)
    quantum_key_id = UnicodeAttribute(null=True)
    encrypted_at = TimeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    sniffed_type = UnicodeAttribute(null=True)
    sealed_digest = BinaryAttribute(legacy_encoding=False, null=True)
    digest_by = EnumAttribute(DigestBy, null=True)
    damage = UnicodeAttribute(null=True)
    storage_class = EnumAttribute(StorageClass, null=True)
    version = NumberAttribute(null=True)
    document_id = UnicodeAttribute(null=True)
    replaces = UnicodeAttribute(null=True)
    moving_to = UnicodeAttribute(null=True)
    moved_from = DocumentAttribute(null=True)
    look_after = TimeAttribute(null=True)
    looks = NumberAttribute(null=True)
    size_limit = NumberAttribute(null=True)
    parts = DocumentAttribute(null=True)
    passphrase = DocumentAttribute(null=True)
    keys_from = UnicodeAttribute(null=True)
    trace = UnicodeAttribute(null=True)
    reservation = UnicodeAttribute(null=True)
    shred_after = TimeAttribute(null=True)
    name_feed = UnicodeAttribute(null=True)
    name_key = UnicodeAttribute(null=True)
    attribute_feed = UnicodeAttribute(null=True)
    owner_status_feed = UnicodeAttribute(null=True)
    owner_feed = UnicodeAttribute(null=True)
    type_feed = UnicodeAttribute(null=True)
    owner_type_feed = UnicodeAttribute(null=True)
    key_feed = UnicodeAttribute(null=True)
    status_feed = UnicodeAttribute(null=True)
    document_feed = UnicodeAttribute(null=True)
    expiry_feed = UnicodeAttribute(null=True)
    shred_feed = UnicodeAttribute(null=True)
    move_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Row) -> dict[str, Any]:
        identifier = record.file_id
        kind = {"kind": KINDS[type(record)]}
        if isinstance(record, Orphan):
            place = sort_key(record.noted_at, identifier)
            return kind | {"status_feed": feed(ORPHANS, identifier), "sort": place}
        sealed = record.pool_key_id if record.status in KEYED else None
        return (
            kind
            | _lists(record)
            | {
                "key_feed": feed(sealed, identifier) if sealed else None,
                "status_feed": feed(record.status, identifier),
                "sort": _place(record),
            }
        )

    def record_class(self) -> type[Any]:
        return RECORDS.get(self.kind, Record)  # which no tag was made for: a row without a kind is forged


def _place(record: File) -> str:
    """Where a file stands in each list: by time; an earlier version by its number, whenever it was announced."""
    if isinstance(record, Version):
        return f"{int(record.version):010d}#{record.file_id}"
    return sort_key(record.uploaded_at, record.file_id)


def _lists(record: File) -> dict[str, str]:
    """The lists that a file stands in: versions, and uploads of versions, with their document only."""
    identifier, kind, owner = record.file_id, record.document_type, record.owner
    if isinstance(record, Version):
        return (
            {"document_feed": feed(record.document_id, identifier)} if record.status not in SHREDDED else {}
        )
    deleted = (
        {"shred_feed": feed(LISTED, identifier)}
        if isinstance(record, Document) and record.shred_after
        else {}
    )
    if isinstance(record, Document) and record.expires_at and record.status in MORTAL:
        deleted |= {"expiry_feed": feed(LISTED, identifier)}
    if isinstance(record, Document) and record.look_after:
        deleted |= {"move_feed": feed(LISTED, identifier)}
    if record.status in SHREDDED or (isinstance(record, Upload) and record.replaces):
        return deleted
    if (found_by := declared(record.attributes)) is not None:
        deleted |= {"attribute_feed": feed(_attribute_feed(owner, *found_by), identifier)}
    return deleted | {
        "feed": feed(LISTED, identifier),
        "owner_feed": feed(owner, identifier),
        "name_feed": feed(owner, identifier),
        "name_key": name_key(record.name, identifier),
        "owner_status_feed": feed(f"{owner}|{record.status}", identifier),
        "type_feed": feed(kind, identifier),
        "owner_type_feed": feed(f"{owner}|{kind}", identifier),
    }


def _attribute_feed(owner: str, name: str, value: str) -> str:
    return f"{owner}|{name}={value}"  # neither an owner nor a name has one of these signs


def find_file(file_id: str) -> File | None:
    """What a client may know under an id, read consistently."""
    found = FileTable.find(file_id)
    return None if isinstance(found, Orphan) else found


def files_of(file_ids: Sequence[str]) -> list[File]:
    """Files with these ids, read consistently by one call, in the order asked for; forged rows are left out."""
    rows = FileTable.batch_get(list(dict.fromkeys(file_ids)), consistent_read=True) if file_ids else ()
    found = {row.file_id: row for row in authentic(rows) if isinstance(row, File)}
    return [found[file_id] for file_id in dict.fromkeys(file_ids) if file_id in found]


def find_document(file_id: str) -> Document | None:
    """A document, read consistently."""
    found = FileTable.find(file_id)
    return found if isinstance(found, Document) else None


def versions_of(file_ids: Sequence[str]) -> list[Version]:
    """Those of these ids that are earlier versions, read consistently, 100 by one call, in the order asked for.

    Raises:
        RecordForged: one of them was changed outside of the platform.
    """
    rows = FileTable.batch_get(file_ids, consistent_read=True) if file_ids else ()
    found = {row.file_id: row.record() for row in rows}
    listed = (found.get(file_id) for file_id in file_ids)
    return [one for one in listed if isinstance(one, Version)]


def find_orphan(orphan_id: str) -> Orphan | None:
    """A note on a body that was given up, read consistently."""
    found = FileTable.find(orphan_id)
    return found if isinstance(found, Orphan) else None


def files_page(
    *,
    limit: int,
    position: Position | None = None,
    owner: str | None = None,
    document_type: str | None = None,
    status: FileStatus | None = None,
) -> Page[File]:
    """Files newest first: all, or of an owner, a document type, a status; of an owner and one of these."""
    if owner is not None and document_type is not None:
        return page(FileTable.by_owner_type, f"{owner}|{document_type}", limit=limit, position=position)
    if owner is not None and status is not None:
        return page(FileTable.by_owner_status, f"{owner}|{status}", limit=limit, position=position)
    if owner is not None:
        return page(FileTable.by_owner, owner, limit=limit, position=position)
    if document_type is not None:
        return page(FileTable.by_type, document_type, limit=limit, position=position)
    if status is not None:
        return page(FileTable.by_status, status, limit=limit, position=position)
    return page(FileTable.by_feed, LISTED, limit=limit, position=position)


def attribute_page(owner: str, name: str, value: str, *, limit: int, position: Position | None) -> Page[File]:
    """An owner's files with this value of the attribute that is declared for it, newest first."""
    return page(FileTable.by_attribute, _attribute_feed(owner, name, value), limit=limit, position=position)


def named_page(owner: str, prefix: str, *, limit: int, position: Position | None) -> Page[File]:
    """An owner's files whose names begin so, whatever the case, by name: one Query a page and shard."""
    begin = name_key(prefix, "")
    low = position.sort if position else begin
    high = begin + chr(0x10FFFF)
    span = FileTable.name_key.between(low, max(low, high))
    streams = [iter(FileTable.by_owner_name.query(part, span, limit=limit + 2)) for part in partitions(owner)]
    # Both ends belong to the span: the row that the page before ended with is passed over
    found = (
        row for row in merge(*streams, key=lambda row: row.name_key) if not position or row.name_key > low
    )
    rows = list(islice(found, limit + 1))
    listed = authentic(whole(FileTable.by_owner_name, rows[:limit], consistent=False))
    belonging = [file for file in listed if isinstance(file, Document | Upload) and file.owner == owner]
    # What was renamed meanwhile stands at another place by now
    places = {row.name_key for row in rows[:limit]}
    return Page(
        [file for file in belonging if place_by_name(file) in places],
        older=rows[limit - 1].name_key if len(rows) > limit else None,
    )


def place_by_name(file: File) -> str:
    """Where a file stands in its owner's list by name."""
    return name_key(file.name, file.file_id)


def place_by_time(file: File) -> str:
    """Where a file stands in the lists by time."""
    return _place(file)


def name_key(name: str, identifier: str) -> str:
    """A place in the list by name, whatever the case; within the 1,024 bytes of a key."""
    folded = name.casefold().encode()[:NAME_BYTES].decode(errors="ignore")
    return f"{folded}\x00{identifier}" if identifier else folded


def sealed_to(key_id: str, *, limit: int, position: Position | None) -> Page[File]:
    """Files whose envelope names a pool key, newest first."""
    return page(FileTable.by_pool_key, key_id, limit=limit, position=position, decides=True)


def sealed_count(key_id: str, *, limit: int) -> int:
    """How many files name a pool key, counted up to a limit."""
    return count(FileTable.by_pool_key, key_id, limit=limit)


def earlier_versions(document_id: str, *, limit: int, position: Position | None) -> Page[Version]:
    """What a document was before, newest first."""
    return page(FileTable.by_document, document_id, limit=limit, position=position, decides=True)


def due_for_deletion(moment: datetime) -> Iterator[Document]:
    """Documents whose lifetime ended before a moment, and that can be deleted now."""
    for part in partitions(LISTED):
        listed = FileTable.by_expiry.query(part, FileTable.expires_at < moment)
        for found in authentic(whole(FileTable.by_expiry, listed)):
            if not isinstance(found, Document) or found.expires_at is None:
                continue
            if found.expires_at < moment and found.status in AT_REST:  # the index may be late
                yield found


def due_for_shredding(moment: datetime) -> Iterator[Document]:
    """Documents whose time to be restored ended before a moment, and that are not shredded to the end."""
    for part in partitions(LISTED):
        listed = FileTable.by_shredding.query(part, FileTable.shred_after < moment)
        for found in authentic(whole(FileTable.by_shredding, listed)):
            if not isinstance(found, Document) or found.shred_after is None:
                continue
            if found.shred_after < moment:  # the index may be late
                yield found


def moves_due(moment: datetime) -> Iterator[Document]:
    """Documents on the move that are to be looked at before a moment."""
    for part in partitions(LISTED):
        listed = FileTable.by_move.query(part, FileTable.look_after < moment)
        for found in authentic(whole(FileTable.by_move, listed)):
            if not isinstance(found, Document) or found.look_after is None or found.status not in MOVING:
                continue
            if found.look_after < moment:  # the index may be late, and the tag does not cover it
                yield found


def look_again(document: Document, *, after: datetime, looks: int) -> None:
    """Say when a document on the move is looked at again, unless it was changed meanwhile."""
    row = FileTable.of(document)
    actions: list[Action] = [FileTable.look_after.set(after), FileTable.looks.set(looks)]
    try:
        row.update(actions, condition=FileTable.tag == document.tag)
    except UpdateError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise


def documents_in(status: FileStatus) -> Iterator[Document]:
    """Documents in a state."""
    return (found for found in _in_feed(status) if isinstance(found, Document) and found.status is status)


def uploads_before(status: FileStatus, moment: datetime) -> Iterator[Upload]:
    """Uploads in a state that were announced before a moment."""
    return (
        found
        for found in _in_feed(status, moment)
        if isinstance(found, Upload) and found.status is status and found.uploaded_at < moment
    )


def orphans_before(moment: datetime) -> Iterator[Orphan]:
    """Orphans that were noted before a moment."""
    return (
        found for found in _in_feed(ORPHANS, moment) if isinstance(found, Orphan) and found.noted_at < moment
    )


def _in_feed(name: str, moment: datetime | None = None) -> Iterator[Row]:
    """What the index by state lists. Index keys are not authenticated: the records say what belongs there."""
    older = None if moment is None else FileTable.sort < sort_key(moment, "")
    for part in partitions(name):
        yield from authentic(whole(FileTable.by_status, FileTable.by_status.query(part, older)))
