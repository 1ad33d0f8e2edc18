"""From an uploaded object to an encrypted file. Every step may run twice, or beside itself (I4).

    reserve a quantum key → write the body under a key of its own → commit record, key uses and audit entry
    together → remove the plaintext

Each attempt writes its body under a fresh object key, so two attempts never overwrite each other; the commit
decides which one counts. What an interrupted attempt leaves is a reservation and an unreferenced body.
"""

import logging
import uuid
from dataclasses import replace

from django.conf import settings

from apps.audit.records import Actor, Event
from apps.audit.services import transaction
from apps.common import clock
from apps.common.sweeps import each
from apps.files import objects, services
from apps.files.body import BodyDigest, encrypt_stream
from apps.files.envelope import Envelope, seal
from apps.files.header import Header
from apps.files.objects import ObjectGone, ObjectRef, ObjectWriter
from apps.files.records import DEFAULT_DOCUMENT_TYPE, File, FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.keys import services as keys
from apps.keys.records import PoolKey
from apps.sessions import services as sessions
from apps.sessions.records import KeyPurpose, Offer, QuantumKeyState, StockEmpty

log = logging.getLogger(__name__)
NAMESPACE = uuid.UUID("6f1b0a1e-6f6b-4b59-9f0e-4c0d9a1d2a55")  # of file ids derived from objects
ATTEMPTS = 16  # to take a quantum key that someone else does not take first
DIRECT_OWNER = "system:uploads"  # of objects that nobody registered


def encrypt_uploaded(source: ObjectRef, *, actor: Actor) -> File | None:
    """Encrypt one version of an uploaded object and remove its plaintext; None if there is nothing to do.

    Raises:
        StockEmpty: no quantum key is ready; a session was run, deliver the event again.
        PoolEmpty: no pool key is active; the pool was refilled, deliver the event again.
    """
    file = _file_of(source)
    if file.status is FileStatus.AWAITING_UPLOAD:
        try:
            size = objects.size_of(source)
        except ObjectGone:
            log.info("upload %s is gone before it was encrypted", file.file_id)
            return None
        if size > settings.UPLOAD_MAX_BYTES:
            file = _reject(
                file,
                source,
                f"The upload has {size} bytes; at most {settings.UPLOAD_MAX_BYTES} are accepted.",
                actor,
            )
        else:
            file = _encrypt(file, source, actor)
    # Also after a duplicate event: the first delivery may have ended just before this step
    objects.remove(source)
    return file


def _file_of(source: ObjectRef) -> File:
    """The record an object belongs to: the registered one for its first upload, else one of its own."""
    registered = source.key.removeprefix(services.UPLOADS_PREFIX)
    if source.key.startswith(services.UPLOADS_PREFIX):
        file = FileTable.find(registered)
        if file is not None and (
            file.status is FileStatus.AWAITING_UPLOAD or file.source.get("version") == source.version
        ):
            return file
        if file is not None:  # the same URL was used again: kept as a file of its own
            return _unregistered(source, name=file.name, owner=file.owner, document_type=file.document_type)
    return _unregistered(source, name=source.key.rpartition("/")[2] or source.key, owner=DIRECT_OWNER)


def _unregistered(
    source: ObjectRef, *, name: str, owner: str, document_type: str = DEFAULT_DOCUMENT_TYPE
) -> File:
    derived = str(uuid.uuid5(NAMESPACE, f"{source.bucket}/{source.key}/{source.version}"))
    return FileTable.find(derived) or File(
        file_id=derived,
        name=name,
        document_type=document_type,
        owner=owner,
        status=FileStatus.AWAITING_UPLOAD,
        uploaded_at=clock.now(),
    )


def _encrypt(file: File, source: ObjectRef, actor: Actor) -> File:
    offered = _reserved(file, actor)
    pool_key = keys.pick()
    header = Header.of(file_id=file.file_id, quantum_key_id=offered.key_id)
    envelope, file_key = seal(
        header,
        pool_key_id=pool_key.key_id,
        pool_public_key=pool_key.public_key,
        pool_suite=pool_key.suite,
        quantum_key=offered.key,
    )
    with ObjectWriter(settings.ENCRYPTED_BUCKET, f"files/{file.file_id}/{uuid.uuid4()}") as sink:
        digest = encrypt_stream(objects.opened(source), sink, key=file_key, context=header.digest())
    assert sink.ref is not None  # noqa: S101 - the block ended well
    if objects.size_of(sink.ref) != digest.ciphertext_size:
        raise OSError(f"The body of file {file.file_id} was not stored whole.")
    return _committed(file, source, sink.ref, envelope, digest, pool_key, actor)


def _reserved(file: File, actor: Actor) -> Offer:
    for _ in range(ATTEMPTS):
        try:
            offered = sessions.offer()
        except StockEmpty:
            sessions.refill(actor=actor)
            raise
        try:
            with transaction(actor) as tx:
                sessions.take(
                    tx, offered, purpose=KeyPurpose.FILE, subject=file.file_id, state=QuantumKeyState.RESERVED
                )
                tx.audit(
                    Event.QUANTUM_KEY_RESERVED,
                    session_id=offered.session_id,
                    file_id=file.file_id,
                    quantum_key_id=offered.key_id,
                )
        except sessions.KeyTaken:
            continue
        return offered
    raise StockEmpty("Too many ask for quantum keys at once. Try again in a moment.")


def _committed(
    file: File,
    source: ObjectRef,
    stored: ObjectRef,
    envelope: Envelope,
    digest: BodyDigest,
    pool_key: PoolKey,
    actor: Actor,
) -> File:
    done = replace(
        file,
        status=FileStatus.ENCRYPTED,
        size=digest.plaintext_size,
        ciphertext_size=digest.ciphertext_size,
        ciphertext_sha256=digest.sha256,
        source=source.as_document(),
        body=stored.as_document(),
        envelope=envelope.to_dict(),
        suite=envelope.header.suite.value,
        pool_key_id=pool_key.key_id,
        quantum_key_id=envelope.header.quantum_key_id,
        encrypted_at=clock.now(),
    )
    try:
        with transaction(actor) as tx:
            tx.replace(
                FileTable.of(done),
                condition=(FileTable.status == FileStatus.AWAITING_UPLOAD)
                | FileTable.file_id.does_not_exist(),
                otherwise=FileNotReady("Another delivery of the event was faster."),
            )
            sessions.use_reserved(tx, envelope.header.quantum_key_id)
            keys.count_use(tx, pool_key)
            tx.audit(
                Event.FILE_ENCRYPTED,
                file_id=file.file_id,
                key_id=pool_key.key_id,
                session_id=services.session_of(envelope.header.quantum_key_id),
                size=digest.plaintext_size,
            )
    except FileNotReady:
        current = FileTable.find(file.file_id)
        # Where an answer was lost and the SDK asked again, the delivery that was faster is this one
        if current is None or ObjectRef.of(current.body) != stored:
            objects.remove(stored)
        if current is None or current.source.get("version") != source.version:
            raise  # the other one encrypted another version: deliver again, this one becomes a file of its own
        return current
    return done


def _reject(file: File, source: ObjectRef, reason: str, actor: Actor) -> File:
    rejected = replace(file, status=FileStatus.REJECTED, reason=reason, source=source.as_document())
    with transaction(actor) as tx:
        tx.replace(
            FileTable.of(rejected),
            condition=(FileTable.status == FileStatus.AWAITING_UPLOAD) | FileTable.file_id.does_not_exist(),
        )
        tx.audit(Event.FILE_REJECTED, file_id=file.file_id, reason=reason)
    return rejected


def finish_overdue(*, seconds: int, actor: Actor) -> int:
    """Encrypt what the uploads bucket still holds, registered or not, or only remove it; returns how many.

    Its event was lost, or the last delivery failed between the commit and the removal.
    """
    left = objects.written_before(settings.UPLOADS_BUCKET, clock.ago(seconds))
    return each(left, lambda source: encrypt_uploaded(source, actor=actor))
