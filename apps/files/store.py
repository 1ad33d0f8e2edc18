"""The table of files."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

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
    partitions,
    sort_key,
)
from apps.files.records import KEYED, File, FileStatus, StorageClass

LISTED = "all"


class FileTable(Table[File]):
    Meta = meta("files")
    record_type = File
    by_feed = index("feed", "feed")
    by_owner = index("by_owner", "owner_feed")
    # Document type and time of upload (E6), all owners.
    by_type = index("by_type", "type_feed")
    # Likewise, of one owner.
    by_owner_type = index("by_owner_type", "owner_type_feed")
    # What is still sealed to a pool key.
    by_pool_key = index("by_pool_key", "key_feed")
    # What the sweep finishes, and the console filters by.
    by_status = index("by_status", "status_feed")
    # The earlier versions of a document.
    by_document = index("by_document", "document_feed")
    # Deleted documents, the first to be shredded first.
    by_shredding = index("by_shredding", "shred_feed", order=("shred_after", TimeAttribute))

    file_id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    document_type = UnicodeAttribute()
    owner = UnicodeAttribute()
    status = EnumAttribute(FileStatus)
    uploaded_at = TimeAttribute()
    attributes = DocumentAttribute()
    media_type = UnicodeAttribute()
    size = NumberAttribute(null=True)
    ciphertext_size = NumberAttribute(null=True)
    ciphertext_sha256 = UnicodeAttribute(null=True)
    source = DocumentAttribute()
    body = DocumentAttribute()
    envelope = DocumentAttribute()
    suite = UnicodeAttribute(null=True)
    pool_key_id = UnicodeAttribute(null=True)
    quantum_key_id = UnicodeAttribute(null=True)
    encrypted_at = TimeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    sniffed_type = UnicodeAttribute(null=True)
    plaintext_hmac = UnicodeAttribute(null=True)
    storage_class = EnumAttribute(StorageClass, default=StorageClass.STANDARD)
    version = NumberAttribute(default=1)
    document_id = UnicodeAttribute(null=True)
    moved_from = DocumentAttribute(default=dict)
    upload = DocumentAttribute(default=dict)
    shred_after = TimeAttribute(null=True)
    owner_feed = UnicodeAttribute(null=True)
    type_feed = UnicodeAttribute(null=True)
    owner_type_feed = UnicodeAttribute(null=True)
    key_feed = UnicodeAttribute(null=True)
    status_feed = UnicodeAttribute(null=True)
    document_feed = UnicodeAttribute(null=True)
    shred_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: File) -> dict[str, Any]:
        identifier, kind, owner = record.file_id, record.document_type, record.owner
        sealed = record.pool_key_id if record.status in KEYED else None
        earlier = record.document_id if record.status is FileStatus.SUPERSEDED else None
        lists = {
            "feed": feed(LISTED, identifier),
            "owner_feed": feed(owner, identifier),
            "type_feed": feed(kind, identifier),
            "owner_type_feed": feed(f"{owner}|{kind}", identifier),
        }
        # Versions, and uploads of versions, are listed with their document only; what is shredded no more
        unlisted = record.document_id or record.status in {FileStatus.SHREDDING, FileStatus.SHREDDED}
        return (dict.fromkeys(lists) if unlisted else lists) | {
            "key_feed": feed(sealed, identifier) if sealed else None,
            "document_feed": feed(earlier, identifier) if earlier else None,
            "status_feed": feed(record.status, identifier),
            "shred_feed": feed(LISTED, identifier) if record.shred_after else None,
            "sort": sort_key(record.uploaded_at, identifier),
        }


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


def earlier_versions(document_id: str, *, limit: int, position: Position | None) -> Page[File]:
    """What a document was before, newest first."""
    return page(FileTable.by_document, document_id, limit=limit, position=position)


def due_for_shredding(moment: datetime) -> Iterator[File]:
    """Documents whose time to be restored ended before a moment, and that are not shredded to the end."""
    for part in partitions(LISTED):
        for row in FileTable.by_shredding.query(part, FileTable.shred_after < moment):
            yield row.record()


def in_status_before(status: FileStatus, moment: datetime) -> Iterator[File]:
    """Files in a status that were registered before a moment."""
    older = FileTable.sort < sort_key(moment, "")
    for part in partitions(status):
        for row in FileTable.by_status.query(part, older):
            yield row.record()
