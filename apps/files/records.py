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
    """``awaiting_upload`` → ``encrypted`` → ``deleted``; ``rejected`` says why."""

    AWAITING_UPLOAD = "awaiting_upload"
    ENCRYPTED = "encrypted"
    REJECTED = "rejected"
    DELETED = "deleted"


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
