"""Files as their owners see them: registered, listed, read, deleted, restored."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from apps.audit.records import Actor, Event, Outcome
from apps.audit.services import may_see, record, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.common.errors import Invalid, PlatformError, Refused
from apps.files import store
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectGone, ObjectRef
from apps.files.records import (
    DEFAULT_DOCUMENT_TYPE,
    File,
    FileNotFound,
    FileNotReady,
    FileStatus,
    StorageClass,
)
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.records import KeyNotFound
from apps.sessions import quantum_keys
from apps.sessions.records import SessionNotFound
from qkdseal import body
from qkdseal.digests import UNKNOWN
from qkdseal.envelope import Envelope, open_envelope
from qkdseal.errors import PackageInvalid

UPLOADS_PREFIX = "uploads/"
DAMAGED = "The stored package is damaged; tell the operator."


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
    media_type: str = UNKNOWN,
    attributes: Mapping[str, Any] | None = None,
) -> Upload:
    """Announce an upload: its record, and a presigned URL for its bytes (C8)."""
    described = {"document_type": document_type, "media_type": media_type, "attributes": attributes or {}}
    file = announced(name=name, actor=actor, **described)
    with transaction(actor) as tx:
        tx.put(FileTable.of(file))
        tx.audit(FileEvent.REGISTERED, file_id=file.file_id, document_type=document_type)
    return Upload(file, objects.presigned_put(file.source["bucket"], file.source["key"]), url_end())


def announced(*, name: str, actor: Actor, **described: Any) -> File:
    """The record of a file whose bytes are to come."""
    file_id = str(uuid.uuid4())
    return File(
        file_id=file_id,
        name=name,
        owner=str(actor),
        status=FileStatus.AWAITING_UPLOAD,
        uploaded_at=clock.now(),
        source=ObjectRef(settings.UPLOADS_BUCKET, UPLOADS_PREFIX + file_id).as_document(),
        **described,
    )


def url_end() -> datetime:
    """When a URL presigned now ends."""
    return clock.now() + timedelta(seconds=settings.PRESIGNED_SECONDS)


def find(file_id: str, *, actor: Actor) -> File:
    """One file that the actor may see.

    Raises:
        FileNotFound: no such file, or another's.
    """
    file = FileTable.find(file_id)
    if file is None or not may_see(actor, file.owner, file_id=file_id):
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


def file_key(file: File, *, passphrase: str | None = None, moving: bool = False) -> bytes:
    """The key of the body, after the checks of C3 and C7.

    Args:
        file: as just read.
        passphrase: where one is part of the key.
        moving: the file is only taken to other keys, which is also done with keys that are suspended or outdated.

    Raises:
        PackageInvalid: the envelope does not open, or is not this file's.
        KeyNotFound, SessionNotFound: a key that it needs is gone.
    """
    envelope = Envelope.from_dict(file.envelope)
    if envelope.header.file_id != file.package_id or envelope.header.quantum_key_id != file.quantum_key_id:
        raise PackageInvalid
    seed = seeds.seed_of(keys.find(envelope.pool_key_id), rewrap=moving)
    quantum_key = quantum_keys.taken_key(envelope.header.quantum_key_id)
    return open_envelope(envelope, seed=seed, quantum_key=quantum_key, passphrase=passphrase)


def released(
    file_id: str,
    *,
    actor: Actor,
    passphrase: str | None = None,
    event: Event = FileEvent.READ,
    **detail: Any,
) -> tuple[File, bytes, bytes]:
    """A file, its key and the context of its body, to be read; the audit entry is written first (I1).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: not encrypted yet, deleted, or in cold storage.
        Invalid: a passphrase is needed, or one is given that is not.
        FileDamaged: the envelope does not open, or a key is gone.
    """
    file = find(file_id, actor=actor)
    if not file.readable:
        raise FileNotReady(f"The file is {file.status} ({file.storage_class}); it cannot be read now.")
    if file.has_passphrase != (passphrase is not None):
        needs = "needs its passphrase" if file.has_passphrase else "has no passphrase"
        raise Invalid.of("passphrase", f"the file {needs}")
    session_id = session_of(file.quantum_key_id)
    record(actor, event, file_id=file_id, key_id=file.pool_key_id, session_id=session_id, **detail)
    try:
        key = file_key(file, passphrase=passphrase)
        return file, key, Envelope.from_dict(file.envelope).header.digest()
    except (PackageInvalid, KeyNotFound, SessionNotFound):
        raise unopened(file, actor) from None


def unopened(file: File, actor: Actor) -> PlatformError:
    """Why a package did not open, as far as it can be told: a wrong passphrase looks like damage. It is recorded."""
    subject = {
        "file_id": file.file_id,
        "key_id": file.pool_key_id,
        "session_id": session_of(file.quantum_key_id),
    }
    record(actor, FileEvent.READ, outcome=Outcome.FAILED, **subject)
    if file.has_passphrase:
        return Invalid.of("passphrase", "wrong, or the stored package is damaged")
    return FileDamaged(DAMAGED)


def read(file_id: str, *, actor: Actor, passphrase: str | None = None) -> tuple[File, Iterator[bytes]]:
    """The plaintext, streamed; the audit entry is written first (I1).

    Raises:
        FileNotFound, FileNotReady, Invalid: as ``released``.
        FileDamaged: the envelope does not open, or a key or the body is gone. A damaged body, or a wrong
            passphrase, raises from the iterator, after nothing but true leading bytes.
    """
    file, key, context = released(file_id, actor=actor, passphrase=passphrase)
    try:
        source = objects.opened(ObjectRef.of(file.body))
    except ObjectGone:
        raise unopened(file, actor) from None
    return file, _opened(file, actor, body.decrypted_chunks(source, key=key, context=context))


def _opened(file: File, actor: Actor, plaintext: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from plaintext
    except PackageInvalid:
        raise unopened(file, actor) from None


def whole(plaintext: Iterator[bytes]) -> bytes:
    """All of a plaintext that fits in memory.

    Raises:
        FileDamaged, Invalid: the body is not whole and unchanged, or the passphrase is wrong.
    """
    return b"".join(plaintext)


def session_of(quantum_key_id: str | None) -> str | None:
    """The session that a quantum key was cut from, for the audit trail."""
    return quantum_key_id.rpartition(".")[0] if quantum_key_id else None


def delete(file_id: str, *, actor: Actor) -> File:
    """Hide a file; nothing of it is removed for DELETION_WINDOW_DAYS, so that ``restore`` can bring it back.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: deleted already, its upload is still awaited, or it is being moved.
    """
    file = find(file_id, actor=actor)
    if file.status not in {FileStatus.ENCRYPTED, FileStatus.ARCHIVED} or file.document_id:
        raise FileNotReady(f"The file is {file.status}; only an encrypted or archived one can be deleted.")
    until = clock.now() + timedelta(days=settings.DELETION_WINDOW_DAYS)
    return _moved(replace(file, shred_after=until), FileStatus.DELETED, FileEvent.DELETED, actor)


def restore(file_id: str, *, actor: Actor) -> File:
    """Bring a deleted file back, to where it was.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not deleted.
    """
    file = find(file_id, actor=actor)
    if file.status is not FileStatus.DELETED:
        raise FileNotReady(f"The file is {file.status}; only a deleted one can be restored.")
    cold = file.storage_class is not StorageClass.STANDARD
    status = FileStatus.ARCHIVED if cold else FileStatus.ENCRYPTED
    return _moved(replace(file, shred_after=None), status, FileEvent.RESTORED, actor)


def _moved(file: File, target: FileStatus, event: Event, actor: Actor) -> File:
    moved = replace(file, status=target)
    shred_after, shred_feed = FileTable.shred_after, FileTable.shred_feed
    window = (
        [shred_after.set(file.shred_after), shred_feed.set(feed(store.LISTED, file.file_id))]
        if file.shred_after
        else [shred_after.remove(), shred_feed.remove()]
    )
    with transaction(actor) as tx:
        tx.update(
            FileTable.of(file),
            [FileTable.status.set(target), FileTable.status_feed.set(feed(target, file.file_id)), *window],
            condition=FileTable.status == file.status,
            otherwise=FileNotReady("The file was changed by someone else meanwhile."),
        )
        tx.audit(event, file_id=file.file_id)
    return moved
