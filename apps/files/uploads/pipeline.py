"""From an uploaded object to an encrypted file. Every step may run twice, or beside itself (I4).

    reserve a quantum key → write the body under a key of its own → commit record, key uses and audit entry
    together → remove the plaintext

Each attempt writes its body under an object key named by its quantum key, so two attempts never overwrite each
other; the commit decides which one counts. What an interrupted attempt leaves is a reservation, and that names
the body to be removed.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Conflict, transaction
from apps.common import clock
from apps.common.errors import Refused
from apps.common.sweeps import each
from apps.files import services
from apps.files.bodies import encrypted, objects
from apps.files.bodies.encrypted import Progress
from apps.files.bodies.objects import UPLOADS_PREFIX, ObjectGone, ObjectRef
from apps.files.records import DEFAULT_DOCUMENT_TYPE, File, FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.files.uploads import applying, attempts, passphrases
from apps.keys import services as keys
from apps.keys.pools import pool_for
from apps.keys.records import PoolKey, Purpose
from apps.sessions import quantum_keys
from apps.sessions.records import KeyPurpose, Offer, QuantumKeyState
from apps.sessions.taking import take_key
from apps.sessions.trail import QuantumKeyEvent
from qkdseal.envelope import Envelope, seal
from qkdseal.header import Header

log = logging.getLogger(__name__)
NAMESPACE = uuid.UUID("6f1b0a1e-6f6b-4b59-9f0e-4c0d9a1d2a55")  # of file ids derived from objects
DIRECT_OWNER = "system:uploads"  # of objects that nobody registered

Later = Callable[[ObjectRef, File, int], str | None]


def encrypt_uploaded(
    source: ObjectRef, *, actor: Actor, later: Later | None = None, progress: Progress | None = None
) -> File | None:
    """Encrypt one version of an uploaded object and remove its plaintext; None if there is nothing to do.

    Args:
        source: the object.
        actor: who acts.
        later: takes an object over ``EVENT_UPLOAD_BYTES``, to be encrypted where more time is, and its record is
            returned as it is; or says why the upload is given up.
        progress: is told the bytes encrypted so far, now and then.

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
            reason = f"The upload has {size} bytes; at most {settings.UPLOAD_MAX_BYTES} are accepted."
            file = _reject(file, source, reason, actor)
        elif applying.is_orphaned(file):
            file = _reject(file, source, "Its document was deleted for good meanwhile.", actor)
        elif later is not None and size > settings.EVENT_UPLOAD_BYTES:
            given_up = later(source, file, size)
            if given_up is None:
                return file
            file = _reject(file, source, given_up, actor)
        else:
            file = _encrypt(file, source, actor, progress)
    # Also after a duplicate event: the first delivery may have ended just before this step
    objects.remove(source)
    return file


def _file_of(source: ObjectRef) -> File:
    """The record an object belongs to: the registered one for its first upload, else one of its own."""
    registered = source.key.removeprefix(UPLOADS_PREFIX)
    if source.key.startswith(UPLOADS_PREFIX):
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


def _encrypt(file: File, source: ObjectRef, actor: Actor, progress: Progress | None) -> File:
    plan = applying.planned(file)
    until = clock.now() + timedelta(seconds=quantum_keys.RESERVED_SECONDS)
    offered = reserved(file, actor)
    pool_key = keys.pick(pool_for(file.owner, Purpose.FILES))
    factor, stretched = passphrases.factor_of(file)
    header = Header.of(file_id=plan.package_id, quantum_key_id=offered.key_id, passphrase=factor)
    envelope, file_key = seal(
        header,
        pool_key_id=pool_key.key_id,
        pool_public_key=pool_key.public_key,
        pool_suite=pool_key.suite,
        quantum_key=offered.key,
        stretched=stretched,
    )
    place = ObjectRef(settings.ENCRYPTED_BUCKET, attempts.object_key(plan.document_id, offered.key_id))
    with attempts.end_if_cancelled(offered, actor=actor):
        done = encrypted.written(
            plan.file,
            objects.opened(source),
            place,
            file_key=file_key,
            context=header.digest(),
            until=until,
            progress=progress,
        )
    try:
        done = replace(done, reason=None, source=source.as_document(), **sealed(envelope))
        return _committed(plan, done, source, pool_key, actor)
    except (Refused, Conflict):  # for certain not committed: nothing refers to the body
        objects.remove(ObjectRef.of(done.body))
        raise


def sealed(envelope: Envelope) -> dict[str, Any]:
    """What a record holds of an envelope."""
    return {
        "envelope": envelope.to_dict(),
        "suite": envelope.header.suite.value,
        "pool_key_id": envelope.pool_key_id,
        "quantum_key_id": envelope.header.quantum_key_id,
        "encrypted_at": clock.now(),
    }


def reserved(file: File, actor: Actor) -> Offer:
    """Reserve a quantum key that only this attempt has, for as long as it is reserved.

    Raises:
        StockEmpty: there is none; a session was run, ask again.
    """

    def reserve(offered: Offer) -> Offer:
        with transaction(actor) as tx:
            quantum_keys.take(
                tx,
                offered,
                purpose=KeyPurpose.FILE,
                subject=file.document_id or file.file_id,
                state=QuantumKeyState.RESERVED,
            )
            tx.audit(
                QuantumKeyEvent.RESERVED,
                session_id=offered.session_id,
                file_id=file.file_id,
                quantum_key_id=offered.key_id,
            )
        return offered

    return take_key(reserve, actor=actor)


def _committed(plan: applying.Plan, done: File, source: ObjectRef, pool_key: PoolKey, actor: Actor) -> File:
    quantum_key_id = str(done.quantum_key_id)
    try:
        with transaction(actor) as tx:
            plan.commit(tx, done)
            quantum_keys.use_reserved(tx, quantum_key_id)
            keys.count_use(tx, pool_key)
            tx.audit(
                plan.event,
                file_id=plan.document_id,
                key_id=pool_key.key_id,
                session_id=services.session_of(quantum_key_id),
                size=done.size,
                version=done.version,
            )
    except FileNotReady:
        current = FileTable.find(plan.document_id)
        # Where an answer was lost and the SDK asked again, the delivery that was faster is this one
        if current is not None and current.body == done.body:
            return current
        if current is None or current.source.get("version") != source.version:
            raise  # the other one encrypted another version: deliver again, this one becomes a file of its own
        objects.remove(ObjectRef.of(done.body))
        return current
    return done


def _reject(file: File, source: ObjectRef, reason: str, actor: Actor) -> File:
    rejected = replace(file, status=FileStatus.REJECTED, reason=reason, source=source.as_document())
    with transaction(actor) as tx:
        tx.replace(
            FileTable.of(rejected),
            condition=(FileTable.status == FileStatus.AWAITING_UPLOAD) | FileTable.file_id.does_not_exist(),
        )
        tx.audit(FileEvent.REJECTED, file_id=file.file_id, reason=reason)
    return rejected


def finish_overdue(*, seconds: int, actor: Actor, later: Later | None = None) -> int:
    """Encrypt what the uploads bucket still holds, registered or not, or only remove it; returns how many.

    Its event was lost, or the last delivery failed between the commit and the removal.
    """
    left = objects.written_before(settings.UPLOADS_BUCKET, clock.ago(seconds))
    return each(left, lambda source: encrypt_uploaded(source, actor=actor, later=later))
