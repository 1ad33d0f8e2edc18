"""From an uploaded object to an encrypted file. Every step may run twice, or beside itself (I4).

    reserve a quantum key → write the body under a key of its own → open the envelope again, as a reader will →
    commit record, key uses and audit entry together → remove the plaintext

Two attempts never overwrite each other (``attempts``): the commit decides which one counts.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Conflict, transaction
from apps.common import clock, tracing
from apps.common.errors import Refused
from apps.common.sweeps import each
from apps.files import changes, services, store
from apps.files.bodies import encrypted, objects
from apps.files.bodies.encrypted import Progress
from apps.files.bodies.objects import ObjectGone, ObjectRef
from apps.files.bodies.reader import ObjectDamaged, is_whole, stream
from apps.files.records import Document, File, Upload, as_rejected
from apps.files.states import FileNotReady, FileStatus
from apps.files.trail import FileEvent
from apps.files.uploads import applying, arrivals, attempts, dropped, passphrases
from apps.files.uploads.announce import bytes_accepted
from apps.files.uploads.applying import Plan
from apps.files.uploads.attempts import Attempt
from apps.files.uploads.dropped import UNTOLD, Origin
from apps.metrics.catalog import ENCRYPTION_SECONDS
from apps.metrics.recording import observe

log = logging.getLogger(__name__)

Later = Callable[[ObjectRef, Upload, int, Origin], str | None]


def encrypt_uploaded(
    source: ObjectRef,
    *,
    actor: Actor,
    origin: Origin = UNTOLD,
    later: Later | None = None,
    progress: Progress | None = None,
) -> File | None:
    """Encrypt one version of an uploaded object and remove its plaintext; None if there is nothing to do.

    Args:
        source: the object.
        actor: who acts.
        origin: who put the object, and from where, as far as is known.
        later: takes an object over ``EVENT_UPLOAD_BYTES``, to be encrypted where more time is, and its record is
            returned as it is; or says why the upload is given up.
        progress: is told the bytes encrypted so far, now and then.

    Raises:
        StockEmpty: no quantum key is ready; a session was run, deliver the event again.
        PoolEmpty: no pool key is active; the pool was refilled, deliver the event again.
    """
    file = arrivals.file_of(source, origin)
    if file is None:
        arrivals.remove_surplus(source, actor=actor, origin=origin)
        return None
    announced = tracing.of_text(file.trace) if isinstance(file, Upload) else None
    with tracing.entered(announced, file_id=file.file_id):
        return _encrypt_found(file, source, actor, origin, later, progress)


def _encrypt_found(
    file: File,
    source: ObjectRef,
    actor: Actor,
    origin: Origin,
    later: Later | None,
    progress: Progress | None,
) -> File | None:
    """Encrypt an object whose record was found; None where it is gone already."""
    if isinstance(file, Upload) and file.status is FileStatus.AWAITING_UPLOAD:
        try:
            head = objects.head_of(source)
        except ObjectGone:
            log.info("upload %s is gone before it was encrypted", file.file_id)
            return None
        if dropped.is_folder(source, head.size):
            return None
        file = dropped.as_arrived(file, source, head)
        done = _go_on(file, source, head.size, actor, origin, later, progress)
        if done is None:
            return file
        file = done
    if isinstance(file, Document):
        objects.remove_others(ObjectRef.of(file.body))
    # Also after a duplicate event: the first delivery may have ended just before this step
    objects.remove(source)
    return file


def _go_on(
    upload: Upload,
    source: ObjectRef,
    size: int,
    actor: Actor,
    origin: Origin,
    later: Later | None,
    progress: Progress | None,
) -> File | None:
    """Reject or encrypt an upload; None where a job will encrypt it."""
    accepted = bytes_accepted(upload)
    if size > accepted:
        reason = f"The upload has {size} bytes; at most {accepted} are accepted."
        return _reject(upload, source, reason, actor, origin)
    if applying.is_orphaned(upload):
        return _reject(upload, source, "Its document was deleted for good meanwhile.", actor, origin)
    if later is not None and size > settings.EVENT_UPLOAD_BYTES:
        given_up = later(source, upload, size, origin)
        return None if given_up is None else _reject(upload, source, given_up, actor, origin)
    return _encrypt_or_reject(upload, source, actor, origin, progress)


def _encrypt_or_reject(
    upload: Upload, source: ObjectRef, actor: Actor, origin: Origin, progress: Progress | None
) -> File:
    """Encrypt an upload, unless its bytes are not those that were put, however often they are read."""
    began = time.perf_counter()
    try:
        done = _encrypt(upload, source, actor, origin, progress)
    except ObjectDamaged:
        if is_whole(source):  # it was the way from there to here: deliver again
            raise
    else:
        observe(ENCRYPTION_SECONDS, time.perf_counter() - began, kind="file")
        return done
    reason = "The content does not have the checksum that the storage took on its arrival. Upload it again."
    return _reject(upload, source, reason, actor, origin)


def _encrypt(
    upload: Upload, source: ObjectRef, actor: Actor, origin: Origin, progress: Progress | None
) -> File:
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
            stream(source, checked=True),
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
        return _commit(plan, document, attempt, actor, origin)
    except (Refused, Conflict):  # for certain not committed: nothing refers to the body
        attempt.give_up(actor=actor)
        raise


def _commit(plan: Plan, document: Document, attempt: Attempt, actor: Actor, origin: Origin) -> File:
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
                owner=document.owner,  # whose quota it counts in
                # What follows the commit; said here, as a later delivery may be the one that does it
                plaintext_removed=document.source["version"],
                **_told(document, origin),
            )
    except FileNotReady:
        current = store.find_document(document.file_id)
        if current is None or current.source.get("version") != document.source["version"]:
            raise  # not encrypted: deliver again, and where another version was, this one becomes a file of its own
        # Where an answer was lost and the SDK asked again, the delivery that was faster is this one
        if current.body == document.body:
            return current
        attempt.give_up(actor=actor)
        return current
    return document


def _told(document: Document, origin: Origin) -> dict[str, Any]:
    """Which version it is, where it is not the first, without which the entry has a kilobyte; and from where it came."""
    version = {} if document.version == 1 else {"version": document.version}
    return version | origin.as_detail()


def _reject(upload: Upload, source: ObjectRef, reason: str, actor: Actor, origin: Origin) -> Upload:
    gone = replace(as_rejected(upload, reason), source=source.as_document())
    with transaction(actor) as tx:
        gone = changes.change(tx, upload, gone)
        tx.audit(FileEvent.REJECTED, file_id=upload.file_id, reason=reason, **origin.as_detail())
    return gone


def finish_overdue(*, seconds: int, actor: Actor, later: Later | None = None) -> int:
    """Encrypt what the uploads bucket still holds, announced or not, or only remove it; returns how many.

    Its event was lost, or the last delivery failed between the commit and the removal.
    """
    moment = clock.ago(seconds)
    left = (
        found.ref
        for found in objects.stored_versions(settings.UPLOADS_BUCKET)
        if (found.stored_at < moment or clock.is_ahead(found.stored_at))
        and not dropped.is_folder(found.ref, found.size)
    )
    return each(left, lambda source: encrypt_uploaded(source, actor=actor, later=later))
