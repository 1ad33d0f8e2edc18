"""Files as their owners see them: registered, listed, read, deleted, restored."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from apps.audit.records import Actor, Event
from apps.audit.services import record, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.common.errors import Refused
from apps.files import body, objects, store
from apps.files.envelope import Envelope, open_envelope
from apps.files.errors import PackageInvalid
from apps.files.objects import ObjectGone, ObjectRef, ObjectWriter
from apps.files.records import DEFAULT_DOCUMENT_TYPE, File, FileNotFound, FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.keys import services as keys
from apps.keys.records import KeyNotFound
from apps.sessions import services as sessions
from apps.sessions.records import SessionNotFound

UPLOADS_PREFIX = "uploads/"


class FileDamaged(Refused):
    """The stored package does not open. The plaintext is not released."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Where to PUT the plaintext, until when."""

    file: File
    url: str
    expires_at: datetime


def register(
    *,
    name: str,
    actor: Actor,
    document_type: str = DEFAULT_DOCUMENT_TYPE,
    media_type: str = "application/octet-stream",
    attributes: Mapping[str, Any] | None = None,
) -> Upload:
    """Announce an upload: its record, and a presigned URL for its bytes (C8)."""
    moment, file_id = clock.now(), str(uuid.uuid4())
    source = ObjectRef(settings.UPLOADS_BUCKET, UPLOADS_PREFIX + file_id)
    file = File(
        file_id=file_id,
        name=name,
        document_type=document_type,
        owner=str(actor),
        status=FileStatus.AWAITING_UPLOAD,
        uploaded_at=moment,
        attributes=attributes or {},
        media_type=media_type,
        source=source.as_document(),
    )
    with transaction(actor) as tx:
        tx.put(FileTable.of(file))
        tx.audit(Event.FILE_REGISTERED, file_id=file_id, document_type=document_type)
    expires = moment + timedelta(seconds=settings.PRESIGNED_SECONDS)
    return Upload(file, objects.presigned_put(source.bucket, source.key), expires)


def find(file_id: str, *, actor: Actor) -> File:
    """One file that the actor may see.

    Raises:
        FileNotFound: no such file, or another's.
    """
    file = FileTable.find(file_id)
    if file is None or not actor.may_see(file.owner):
        raise FileNotFound(f"There is no file {file_id!r}.")
    return file


def listed(
    *,
    actor: Actor,
    limit: int,
    position: Position | None = None,
    document_type: str | None = None,
    status: FileStatus | None = None,
) -> Page[File]:
    """Files that the actor may see, newest first; ``status`` is for those who see all."""
    owner = None if actor.sees_all else str(actor)
    return store.files_page(
        limit=limit,
        position=position,
        owner=owner,
        document_type=document_type,
        status=None if owner else status,
    )


def _file_key(file: File) -> bytes:
    """The key of the body, after the checks of C3 and C7."""
    envelope = Envelope.from_dict(file.envelope)
    if envelope.header.file_id != file.file_id or envelope.header.quantum_key_id != file.quantum_key_id:
        raise PackageInvalid
    seed = keys.seed_of(keys.find(envelope.pool_key_id))
    return open_envelope(envelope, seed=seed, quantum_key=sessions.taken_key(envelope.header.quantum_key_id))


def read(file_id: str, *, actor: Actor) -> tuple[File, Iterator[bytes]]:
    """The plaintext, streamed; the audit entry is written first (I1).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: not encrypted yet, or deleted.
        FileDamaged: the envelope does not open, or a key or the body is gone. A damaged body raises PackageInvalid
            from the iterator, after nothing but true leading bytes.
    """
    file = find(file_id, actor=actor)
    if file.status is not FileStatus.ENCRYPTED:
        raise FileNotReady(f"The file is {file.status}; only an encrypted file can be read.")
    record(
        actor,
        Event.FILE_READ,
        file_id=file_id,
        key_id=file.pool_key_id,
        session_id=session_of(file.quantum_key_id),
    )
    try:
        key = _file_key(file)
        source = objects.opened(ObjectRef.of(file.body))
    except (PackageInvalid, ObjectGone, KeyNotFound, SessionNotFound):
        raise FileDamaged("The stored package is damaged; tell the operator.") from None
    context = Envelope.from_dict(file.envelope).header.digest()
    return file, body.decrypted_chunks(source, key=key, context=context)


def whole(plaintext: Iterator[bytes]) -> bytes:
    """All of a plaintext that fits in memory.

    Raises:
        FileDamaged: the body is not whole and unchanged.
    """
    try:
        return b"".join(plaintext)
    except PackageInvalid:
        raise FileDamaged("The stored package is damaged; tell the operator.") from None


def session_of(quantum_key_id: str | None) -> str | None:
    """The session that a quantum key was cut from, for the audit trail."""
    return quantum_key_id.rpartition(".")[0] if quantum_key_id else None


@dataclass(frozen=True, slots=True)
class Download:
    """Where to GET the plaintext, until when."""

    url: str
    expires_at: datetime


def publish(file_id: str, *, actor: Actor) -> Download:
    """Decrypt to a short-lived object behind a presigned URL: for what is too large to be answered.

    A lifecycle rule removes the object after a day.

    Raises:
        as ``read``; a package that turns out damaged on the way leaves no object.
    """
    file, plaintext = read(file_id, actor=actor)
    try:
        with ObjectWriter(settings.DOWNLOADS_BUCKET, f"downloads/{uuid.uuid4()}") as sink:
            for piece in plaintext:
                sink.write(memoryview(piece))
    except PackageInvalid:
        raise FileDamaged("The stored package is damaged; tell the operator.") from None
    assert sink.ref is not None  # noqa: S101 - the block ended well
    expires = clock.now() + timedelta(seconds=settings.PRESIGNED_SECONDS)
    return Download(objects.presigned_get(sink.ref, name=file.name, media_type=file.media_type), expires)


def delete(file_id: str, *, actor: Actor) -> File:
    """Hide a file; nothing of it is removed, so that ``restore`` can bring it back.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: deleted already, or its upload is still awaited.
    """
    return _moved(
        find(file_id, actor=actor), FileStatus.ENCRYPTED, FileStatus.DELETED, Event.FILE_DELETED, actor
    )


def restore(file_id: str, *, actor: Actor) -> File:
    """Bring a deleted file back.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not deleted.
    """
    return _moved(
        find(file_id, actor=actor), FileStatus.DELETED, FileStatus.ENCRYPTED, Event.FILE_RESTORED, actor
    )


def _moved(file: File, source: FileStatus, target: FileStatus, event: Event, actor: Actor) -> File:
    refused = FileNotReady(f"The file is {file.status}; only one that is {source} can become {target}.")
    if file.status is not source:
        raise refused
    moved = replace(file, status=target)
    with transaction(actor) as tx:
        tx.update(
            FileTable.of(file),
            [FileTable.status.set(target), FileTable.status_feed.set(feed(target, file.file_id))],
            condition=FileTable.status == source,
            otherwise=refused,
        )
        tx.audit(event, file_id=file.file_id)
    return moved
