"""Files: what was uploaded, how it is encrypted, where it lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.common.errors import NotFound, Refused

DEFAULT_DOCUMENT_TYPE = "document"


class FileNotFound(NotFound):
    """No such file, or another's."""


class FileNotReady(Refused):
    """The file's state does not allow it: not uploaded, not encrypted yet, or deleted."""


class FileStatus(StrEnum):
    """``awaiting_upload`` → ``encrypted`` ⇄ ``deleted`` → ``shredding`` → ``shredded``; ``rejected`` says why.

    To cold storage and back: ``encrypted`` → ``archiving`` → ``archived`` → ``recalling`` → ``encrypted``.
    """

    AWAITING_UPLOAD = "awaiting_upload"
    AWAITING_BODY = "awaiting_body"  # the client encrypts: its body is to come
    ENCRYPTED = "encrypted"
    REJECTED = "rejected"
    DELETED = "deleted"
    ARCHIVING = "archiving"
    ARCHIVED = "archived"
    RECALLING = "recalling"
    SUPERSEDED = "superseded"  # an earlier version of a document
    APPLIED = "applied"  # an upload that became a new version of a document
    SHREDDING = "shredding"  # its keys are destroyed, its bodies are being removed
    SHREDDED = "shredded"  # what is left tells when, not what
    LEFTOVER = "leftover"  # not a file: an object key under which a body was given up (leftovers.py)


class StorageClass(StrEnum):
    """Where a body lies. From Glacier it has to be recalled before it can be read."""

    STANDARD = "STANDARD"
    GLACIER_IR = "GLACIER_IR"  # instant retrieval
    GLACIER = "GLACIER"
    DEEP_ARCHIVE = "DEEP_ARCHIVE"

    @property
    def instant(self) -> bool:
        """Whether an object of this class can be read at once."""
        return self in {StorageClass.STANDARD, StorageClass.GLACIER_IR}


# In these the record names a body and its keys.
SEALED = frozenset(
    {
        FileStatus.ENCRYPTED,
        FileStatus.DELETED,
        FileStatus.ARCHIVING,
        FileStatus.ARCHIVED,
        FileStatus.RECALLING,
        FileStatus.SUPERSEDED,
    }
)

# In these the bytes of an announced file are still to come.
AWAITED = frozenset({FileStatus.AWAITING_UPLOAD, FileStatus.AWAITING_BODY})

# In these a pool key is needed, now or once the client has sent the body.
KEYED = SEALED | {FileStatus.AWAITING_BODY}


@dataclass(frozen=True, slots=True)
class File:
    """A file's record. Its name is data and never part of a path or an object key."""

    file_id: str
    name: str
    document_type: str
    owner: str
    status: FileStatus
    uploaded_at: datetime
    attributes: Mapping[str, Any] = field(default_factory=dict)
    media_type: str = "application/octet-stream"
    size: int | None = None
    ciphertext_size: int | None = None
    ciphertext_sha256: str | None = None
    source: Mapping[str, str] = field(default_factory=dict)  # bucket, key and version of the plaintext
    body: Mapping[str, str] = field(default_factory=dict)  # bucket, key and version of the ciphertext
    envelope: Mapping[str, Any] = field(default_factory=dict)
    suite: str | None = None
    pool_key_id: str | None = None
    quantum_key_id: str | None = None
    encrypted_at: datetime | None = None
    reason: str | None = None
    sniffed_type: str | None = None  # media type that the content itself tells
    plaintext_hmac: str | None = None  # under a key of this package: see package-format.md
    storage_class: StorageClass = StorageClass.STANDARD
    version: int = 1
    document_id: str | None = None  # of which document this is an earlier version, or the upload of a new one
    moved_from: Mapping[str, str] = field(default_factory=dict)  # the body before a move, until it is removed
    upload: Mapping[str, Any] = field(default_factory=dict)  # of a multipart upload by the client: id and key
    shred_after: datetime | None = None  # a deleted file can be restored until then

    @property
    def package_id(self) -> str:
        """What the envelope's header names: the document, and its version from the second on."""
        document = self.document_id or self.file_id
        return document if self.version == 1 else f"{document}.v{self.version}"

    @property
    def has_passphrase(self) -> bool:
        """Whether a passphrase is part of the key."""
        return "passphrase" in self.envelope.get("header", {})

    @property
    def readable(self) -> bool:
        """Whether the content can be given out now."""
        if self.status in {FileStatus.ARCHIVING, FileStatus.ARCHIVED, FileStatus.SUPERSEDED}:
            return self.storage_class.instant
        return self.status is FileStatus.ENCRYPTED
