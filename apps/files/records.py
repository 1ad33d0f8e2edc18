"""What stands in the table of files: documents, earlier versions, uploads, and orphaned bodies.

They share one table, as one index spans them: what a pool key is still needed for. An upload's id becomes its
document's at the first commit; the upload of a later version has an id of its own, and ends as ``applied``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from apps.common.authenticated import Record
from apps.common.errors import NotFound
from apps.files.states import DocumentStatus, FileStatus, UploadStatus, VersionStatus
from apps.files.traits import COPIED, RENEWED, SHOWN, SURVIVES, UNTOLD, as_shredded

DEFAULT_DOCUMENT_TYPE = "document"
UNKNOWN_TYPE = "application/octet-stream"


class FileNotFound(NotFound):
    """No such file, or another's."""


class StorageClass(StrEnum):
    """Where a body lies. From Glacier it has to be recalled before it can be read."""

    STANDARD = "STANDARD"
    GLACIER_IR = "GLACIER_IR"  # instant retrieval
    GLACIER = "GLACIER"
    DEEP_ARCHIVE = "DEEP_ARCHIVE"

    @property
    def instant(self) -> bool:
        """Return whether an object of this class can be read at once."""
        return self in {StorageClass.STANDARD, StorageClass.GLACIER_IR}


class DigestBy(StrEnum):
    """Who computed the SHA-256 that is kept of a plaintext."""

    PLATFORM = "platform"
    CLIENT = "client"  # as it says, until a check has read the body


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Record):
    """What every file has. Its name is data and never part of a path or an object key."""

    file_id: Annotated[str, SURVIVES, COPIED, SHOWN]
    name: Annotated[str, RENEWED, COPIED, SHOWN]
    document_type: Annotated[str, COPIED, SHOWN]
    owner: Annotated[str, SURVIVES, COPIED]
    uploaded_at: Annotated[datetime, SURVIVES, RENEWED, COPIED, SHOWN]
    attributes: Annotated[Mapping[str, Any], RENEWED, COPIED, SHOWN] = field(default_factory=dict)
    media_type: Annotated[str, RENEWED, COPIED, SHOWN] = UNKNOWN_TYPE
    content_encoding: Annotated[str | None, RENEWED, COPIED, SHOWN] = None  # of the plaintext, as it was put
    source_path: Annotated[str | None, RENEWED, COPIED, SHOWN] = (
        None  # where it was before; data, as the name
    )
    expires_at: Annotated[datetime | None, COPIED, SHOWN] = None  # deleted then
    asked: Annotated[str | None, COPIED] = None  # digest of an announcement that can be repeated
    source: Annotated[Mapping[str, str], RENEWED, COPIED] = field(default_factory=dict)  # of the plaintext
    body: Annotated[Mapping[str, str], RENEWED] = field(default_factory=dict)  # where the ciphertext is
    envelope: Annotated[Mapping[str, Any], RENEWED] = field(default_factory=dict)
    suite: Annotated[str | None, RENEWED, SHOWN] = None
    pool_key_id: Annotated[str | None, RENEWED, SHOWN] = None
    quantum_key_id: Annotated[str | None, RENEWED, SHOWN] = None

    @property
    def has_passphrase(self) -> bool:
        """Return whether a passphrase is part of the key."""
        return "passphrase" in self.envelope.get("header", {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content(Named):
    """What a document and its earlier versions have: an encrypted content."""

    size: Annotated[int | None, RENEWED, COPIED, SHOWN] = None
    ciphertext_size: Annotated[int | None, RENEWED, SHOWN] = None
    sealed_digest: Annotated[bytes | None, RENEWED] = None  # SHA-256 of the plaintext
    digest_by: Annotated[DigestBy | None, RENEWED, SHOWN] = None  # who computed it; None: there is none
    damage: Annotated[str | None, RENEWED, SHOWN] = None  # what a check of the body found
    sniffed_type: Annotated[str | None, RENEWED, COPIED, SHOWN] = None  # told by the content itself
    encrypted_at: Annotated[datetime | None, SURVIVES, RENEWED, SHOWN] = None
    storage_class: Annotated[StorageClass, RENEWED, COPIED, SHOWN] = StorageClass.STANDARD
    version: Annotated[int, SURVIVES, RENEWED, COPIED, SHOWN] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Document(Content):
    """A document as it is now."""

    status: Annotated[DocumentStatus, SURVIVES, COPIED, SHOWN]
    moving_to: Annotated[str | None, RENEWED, COPIED] = (
        None  # the object key of a move under way, used for no other
    )
    moved_from: Annotated[Mapping[str, str], RENEWED, COPIED] = field(default_factory=dict)  # until removed
    look_after: Annotated[datetime | None, RENEWED, COPIED] = (
        None  # when the sweep looks whether a move can go on
    )
    looks: Annotated[int | None, RENEWED, COPIED] = None  # how often it found that it cannot yet
    shred_after: Annotated[datetime | None, SURVIVES, COPIED, SHOWN] = None  # until then it can be restored

    @property
    def document_id(self) -> str:
        """Its own id."""
        return self.file_id

    @property
    def package_id(self) -> str:
        """What the envelope's header names."""
        return package_id_of(self.file_id, self.version)

    @property
    def readable(self) -> bool:
        """Return whether the content can be given out now."""
        if self.status in {FileStatus.ARCHIVING, FileStatus.ARCHIVED}:
            return self.storage_class.instant
        return self.status is FileStatus.ENCRYPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Content):
    """What a document was before: ``<document>.v<number>``."""

    document_id: Annotated[str, SURVIVES, COPIED]
    status: Annotated[VersionStatus, SURVIVES, COPIED, SHOWN] = FileStatus.SUPERSEDED

    @property
    def package_id(self) -> str:
        """What the envelope's header names."""
        return package_id_of(self.document_id, self.version)

    @property
    def readable(self) -> bool:
        """Return whether the content can be given out now."""
        return self.status is FileStatus.SUPERSEDED and self.storage_class.instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Named):
    """An announced upload. Where the client encrypts, it has keys already, and ``body`` says where to put it."""

    source: Annotated[Mapping[str, str], SURVIVES] = field(default_factory=dict)  # tells deliveries apart
    status: Annotated[UploadStatus, SURVIVES, SHOWN] = FileStatus.AWAITING_UPLOAD
    replaces: Annotated[str | None, SURVIVES] = None  # the document of which it is to become a version
    size_limit: Annotated[int | None, UNTOLD] = None  # bytes, where fewer than the platform's are accepted
    parts: Annotated[Mapping[str, str], UNTOLD] = field(default_factory=dict)  # bucket, key, id in S3
    passphrase: Annotated[Mapping[str, Any], UNTOLD] = field(default_factory=dict)  # stretched and wrapped
    reason: Annotated[str | None, SURVIVES, SHOWN] = None  # why it was rejected
    keys_from: Annotated[str | None, UNTOLD] = None  # whose own sessions give its quantum key
    trace: Annotated[str | None, UNTOLD] = None  # of the request that announced it

    @property
    def document_id(self) -> str:
        """The document that it becomes, or becomes a version of."""
        return self.replaces or self.file_id

    @property
    def package_id(self) -> str:
        """What the envelope's header names, where the client encrypts."""
        return self.file_id

    @property
    def readable(self) -> bool:
        """Return whether the content can be given out now."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan(Record):
    """An object key under which a body was given up, until nothing can arrive there any more."""

    file_id: Annotated[str, SURVIVES]
    document_id: Annotated[str, SURVIVES]  # whose body it would have been
    owner: Annotated[str, SURVIVES]  # who gave it up
    noted_at: Annotated[datetime, SURVIVES]
    body: Annotated[Mapping[str, str], SURVIVES]
    reason: Annotated[str, SURVIVES]
    reservation: Annotated[str | None, SURVIVES] = None  # the quantum key whose discarding makes sure


File: TypeAlias = Document | Version | Upload  # what a file's id may name
Row: TypeAlias = File | Orphan


def as_rejected(upload: Upload, reason: str) -> Upload:
    """An upload that comes to nothing. That of a version tells no more what it was: its document may be shredded."""
    kept = as_shredded(upload, text="(rejected)") if upload.replaces else upload
    return replace(
        kept, status=FileStatus.REJECTED, reason=reason, parts={}, passphrase={}, body={}, envelope={}
    )


def package_id_of(document_id: str, version: int) -> str:
    """What an envelope's header names: the document, and its version from the second on."""
    return document_id if version == 1 else f"{document_id}.v{version}"


def version_id_of(document_id: str, version: int) -> str:
    """The id of an earlier version."""
    return f"{document_id}.v{version}"
