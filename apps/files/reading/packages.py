"""A file as it is stored: what its owner keeps to open it without the platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.audit.records import Actor
from apps.audit.services import record
from apps.files import services
from apps.files.bodies import presigned
from apps.files.bodies.objects import ObjectRef
from apps.files.reading import content
from apps.files.records import UNKNOWN_TYPE
from apps.files.trail import FileEvent


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """An envelope, and where its ciphertext can be read until when."""

    file_id: str
    envelope: Mapping[str, Any]
    url: str
    expires_at: datetime


def package_of(file_id: str, *, actor: Actor) -> StoredPackage:
    """Give out a file's envelope and the URL of its ciphertext; the audit entry is written first (I1).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it cannot be read now.
    """
    file = content.readable(services.find(file_id, actor=actor))
    session_id = services.session_of(file.quantum_key_id)
    record(
        actor, FileEvent.PACKAGE_GIVEN, file_id=file.file_id, key_id=file.pool_key_id, session_id=session_id
    )
    url = presigned.get_url(
        ObjectRef.of(file.body), name=f"{file.file_id}.encrypted", media_type=UNKNOWN_TYPE
    )
    return StoredPackage(file.file_id, file.envelope, url, presigned.end())
