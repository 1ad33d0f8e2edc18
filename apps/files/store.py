"""The table of files: documents, versions, uploads and orphans, told apart by their kind."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from apps.common.dynamodb import (
    DocumentAttribute,
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    authentic,
    feed,
    index,
    meta,
    page,
    partitions,
    sort_key,
)
from apps.files.records import Document, File, Named, Orphan, Row, StorageClass, Upload, Version
from apps.files.states import KEYED, FileStatus

LISTED = "all"
ORPHANS = "orphan"  # beside the states in the index by state
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
    by_feed = index("feed", "feed")
    by_owner = index("by_owner", "owner_feed")
    # Document type and time of upload (E6), all owners.
    by_type = index("by_type", "type_feed")
    # Likewise, of one owner.
    by_owner_type = index("by_owner_type", "owner_type_feed")
    # What is still sealed to a pool key: documents, versions and uploads, in one Query (I5).
    by_pool_key = index("by_pool_key", "key_feed")
    # What the sweep finishes, and the console filters by.
    by_status = index("by_status", "status_feed")
    # The earlier versions of a document.
    by_document = index("by_document", "document_feed")
    # Deleted documents, the first to be shredded first.
    by_shredding = index("by_shredding", "shred_feed", order=("shred_after", TimeAttribute))

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
    source = DocumentAttribute(null=True)
    body = DocumentAttribute()
    envelope = DocumentAttribute(null=True)
    suite = UnicodeAttribute(null=True)
    pool_key_id = UnicodeAttribute(null=True)
    quantum_key_id = UnicodeAttribute(null=True)
    encrypted_at = TimeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    sniffed_type = UnicodeAttribute(null=True)
    sealed_digest = BinaryAttribute(legacy_encoding=False, null=True)
    storage_class = EnumAttribute(StorageClass, null=True)
    version = NumberAttribute(null=True)
    document_id = UnicodeAttribute(null=True)
    replaces = UnicodeAttribute(null=True)
    moved_from = DocumentAttribute(null=True)
    parts = DocumentAttribute(null=True)
    passphrase = DocumentAttribute(null=True)
    keys_from = UnicodeAttribute(null=True)
    reservation = UnicodeAttribute(null=True)
    shred_after = TimeAttribute(null=True)
    owner_feed = UnicodeAttribute(null=True)
    type_feed = UnicodeAttribute(null=True)
    owner_type_feed = UnicodeAttribute(null=True)
    key_feed = UnicodeAttribute(null=True)
    status_feed = UnicodeAttribute(null=True)
    document_feed = UnicodeAttribute(null=True)
    shred_feed = UnicodeAttribute(null=True)

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
                "sort": sort_key(record.uploaded_at, identifier),
            }
        )

    def record_class(self) -> type[Any]:
        return RECORDS[self.kind]


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
    if record.status in SHREDDED or (isinstance(record, Upload) and record.replaces):
        return deleted
    return deleted | {
        "feed": feed(LISTED, identifier),
        "owner_feed": feed(owner, identifier),
        "type_feed": feed(kind, identifier),
        "owner_type_feed": feed(f"{owner}|{kind}", identifier),
    }


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


def find_version(file_id: str) -> Version | None:
    """An earlier version, read consistently."""
    found = FileTable.find(file_id)
    return found if isinstance(found, Version) else None


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
    """Files newest first: all, or of an owner, a document type, both, or a status."""
    if owner is not None and document_type is not None:
        return page(FileTable.by_owner_type, f"{owner}|{document_type}", limit=limit, position=position)
    if owner is not None:
        return page(FileTable.by_owner, owner, limit=limit, position=position)
    if document_type is not None:
        return page(FileTable.by_type, document_type, limit=limit, position=position)
    if status is not None:
        return page(FileTable.by_status, status, limit=limit, position=position)
    return page(FileTable.by_feed, LISTED, limit=limit, position=position)


def sealed_to(key_id: str, *, limit: int, position: Position | None) -> Page[File]:
    """Files whose envelope names a pool key, newest first."""
    return page(FileTable.by_pool_key, key_id, limit=limit, position=position)


def sealed_count(key_id: str) -> int:
    """How many files name a pool key."""
    return sum(FileTable.by_pool_key.count(part) for part in partitions(key_id))


def earlier_versions(document_id: str, *, limit: int, position: Position | None) -> Page[Version]:
    """What a document was before, newest first."""
    return page(FileTable.by_document, document_id, limit=limit, position=position)


def due_for_shredding(moment: datetime) -> Iterator[Document]:
    """Documents whose time to be restored ended before a moment, and that are not shredded to the end."""
    for part in partitions(LISTED):
        for found in authentic(FileTable.by_shredding.query(part, FileTable.shred_after < moment)):
            if isinstance(found, Document) and found.shred_after is not None:
                yield found


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
        yield from authentic(FileTable.by_status.query(part, older))
