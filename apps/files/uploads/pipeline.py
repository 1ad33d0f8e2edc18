"""From an uploaded object to an encrypted file. Every step may run twice, or beside itself (I4).

    reserve a quantum key → write the body under a key of its own → open the envelope again, as a reader will →
    commit record, key uses and audit entry together → remove the plaintext

Two attempts never overwrite each other (``attempts``): the commit decides which one counts.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Conflict, transaction
from apps.common import clock
from apps.common.errors import Refused
from apps.common.sweeps import each
from apps.files import changes, services, store
from apps.files.bodies import encrypted, objects
from apps.files.bodies.encrypted import Progress
from apps.files.bodies.objects import UPLOADS_PREFIX, ObjectGone, ObjectRef
from apps.files.records import DEFAULT_DOCUMENT_TYPE, Document, File, Upload, as_rejected
from apps.files.states import FileNotReady, FileStatus
from apps.files.trail import FileEvent
from apps.files.uploads import applying, attempts, passphrases
from apps.files.uploads.applying import Plan
from apps.files.uploads.attempts import Attempt

log = logging.getLogger(__name__)
NAMESPACE = uuid.UUID("6f1b0a1e-6f6b-4b59-9f0e-4c0d9a1d2a55")  # of file ids derived from objects
DIRECT_OWNER = "system:uploads"  # of objects that nobody announced

Later = Callable[[ObjectRef, Upload, int], str | None]


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
    if isinstance(file, Upload) and file.status is FileStatus.AWAITING_UPLOAD:
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
    """The record an object belongs to: the announced one for its first upload, else one of its own."""
    if source.key.startswith(UPLOADS_PREFIX):
        file = store.find_file(source.key.removeprefix(UPLOADS_PREFIX))
        if file is not None and (
            file.status is FileStatus.AWAITING_UPLOAD or file.source.get("version") == source.version
        ):
            return file
        if file is not None:  # the same URL was used again: kept as a file of its own
            return _file_of_object(source, name=file.name, owner=file.owner, document_type=file.document_type)
    return _file_of_object(source, name=source.key.rpartition("/")[2] or source.key, owner=DIRECT_OWNER)


def _file_of_object(
    source: ObjectRef, *, name: str, owner: str, document_type: str = DEFAULT_DOCUMENT_TYPE
) -> File:
    # From the object's version, so that every delivery of its event finds the same record
    derived = str(uuid.uuid5(NAMESPACE, f"{source.bucket}/{source.key}/{source.version}"))
    return store.find_file(derived) or Upload(
        file_id=derived, name=name, document_type=document_type, owner=owner, uploaded_at=clock.now()
    )


def _encrypt(upload: Upload, source: ObjectRef, actor: Actor, progress: Progress | None) -> File:
    plan = applying.plan_of(upload)
    attempt = attempts.begin(
        document_id=upload.document_id,
        file_id=upload.file_id,
        owner=upload.owner,
        actor=actor,
        keys_from=upload.keys_from,
    )
    factor, stretched = passphrases.factor_of(upload)
    envelope, file_key = attempt.seal(plan.package_id, factor, stretched)
    with attempt.end_if_cancelled(actor=actor):
        written = encrypted.write(
            objects.stream(source),
            attempt.place,
            name=upload.name,
            file_key=file_key,
            header=envelope.header,
            until=attempt.until,
            progress=progress,
        )
    try:
        attempt.check_opens(envelope, file_key=file_key, stretched=stretched)
        sealed = attempts.as_fields(envelope) | {"encrypted_at": clock.now()}
        document = plan.document(source.as_document(), asdict(written) | sealed)
        return _commit(plan, document, attempt, actor)
    except (Refused, Conflict):  # for certain not committed: nothing refers to the body
        objects.remove(ObjectRef.of(written.body))
        raise


def _commit(plan: Plan, document: Document, attempt: Attempt, actor: Actor) -> File:
    try:
        with transaction(actor) as tx:
            document = plan.commit(tx, document)
            attempt.use(tx)
            tx.audit(
                plan.event,
                file_id=document.file_id,
                key_id=document.pool_key_id,
                session_id=services.session_of(document.quantum_key_id),
                size=document.size,
                version=document.version,
            )
    except FileNotReady:
        current = store.find_document(document.file_id)
        if current is None or current.source.get("version") != document.source["version"]:
            raise  # not encrypted: deliver again, and where another version was, this one becomes a file of its own
        # Where an answer was lost and the SDK asked again, the delivery that was faster is this one
        if current.body == document.body:
            return current
        objects.remove(ObjectRef.of(document.body))
        return current
    return document


def _reject(upload: Upload, source: ObjectRef, reason: str, actor: Actor) -> Upload:
    gone = replace(as_rejected(upload, reason), source=source.as_document())
    with transaction(actor) as tx:
        gone = changes.change(tx, upload, gone)
        tx.audit(FileEvent.REJECTED, file_id=upload.file_id, reason=reason)
    return gone


def finish_overdue(*, seconds: int, actor: Actor, later: Later | None = None) -> int:
    """Encrypt what the uploads bucket still holds, announced or not, or only remove it; returns how many.

    Its event was lost, or the last delivery failed between the commit and the removal.
    """
    left = objects.versions_before(settings.UPLOADS_BUCKET, clock.ago(seconds))
    return each(left, lambda source: encrypt_uploaded(source, actor=actor, later=later))
