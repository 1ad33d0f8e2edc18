"""Uploads that were announced and do not come."""

from dataclasses import replace

from apps.access.records import Right
from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.files import changes, services, store
from apps.files.bodies import objects, orphans
from apps.files.bodies.objects import ObjectRef
from apps.files.records import Upload, as_rejected
from apps.files.states import AWAITED, FileNotReady, FileStatus, as_words, transition
from apps.files.trail import FileEvent
from apps.files.traits import as_shredded

KEPT_SECONDS = 86_400  # of a plaintext whose encryption was cancelled, for its owner to decide what comes
CANCELLED = "Its encryption was cancelled, and its content was not uploaded again."
_UPLOAD_AGAIN = "Its encryption was cancelled. Upload the content again to have it encrypted."


def abort(file_id: str, *, actor: Actor) -> Upload:
    """Give up an announced upload; what has come of it is removed.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: its bytes have arrived already.
    """
    upload = services.find(file_id, actor=actor, right=Right.WRITE)
    refused = FileNotReady(
        f"Only an upload that is still awaited can be aborted; this file is {as_words(upload.status)}."
    )
    if not isinstance(upload, Upload) or upload.status not in AWAITED:
        raise refused
    return give_up(upload, reason="The upload was aborted.", actor=actor, otherwise=refused)


def delete(upload: Upload, *, actor: Actor) -> Upload:
    """Delete an upload that is awaited or was rejected: it is given up, and its record tells no more what it was.

    The record stays, unlisted, so that what still arrives under its key is known to be nobody's.

    Raises:
        FileNotReady: it was changed meanwhile, or has become a version.
    """
    changed = FileNotReady(services.CHANGED)
    if upload.status in AWAITED:
        upload = give_up(upload, reason="It was deleted.", actor=actor, otherwise=changed)
    step = transition("delete_upload", upload.status)
    bare = replace(as_shredded(upload, text="(deleted)"), status=FileStatus.SHREDDED)
    with transaction(actor) as tx:
        bare = changes.change(tx, upload, bare, otherwise=changed)
        tx.audit(step.event, file_id=upload.file_id)
    return bare


def give_up(upload: Upload, *, reason: str, actor: Actor, otherwise: Exception | None = None) -> Upload:
    """Reject an announced upload; what has come of it is removed.

    Raises:
        otherwise, or Conflict: it is no longer awaited.
    """
    gone = as_rejected(upload, reason)
    orphan = None
    with transaction(actor) as tx:
        gone = changes.change(tx, upload, gone, otherwise=otherwise)
        if upload.status is FileStatus.AWAITING_BODY:  # plaintext that arrives is removed by its event
            orphan = orphans.note(
                tx, ObjectRef.of(upload.body), document_id=upload.document_id, reason=reason
            )
        tx.audit(transition("reject", upload.status).event, file_id=upload.file_id, reason=reason)
    if upload.parts:
        objects.abort(upload.parts["bucket"], upload.parts["key"], upload.parts["id"])
    if orphan is not None:
        orphans.remove(orphan)
    return gone


def note_cancelled(file_id: str, source: ObjectRef, *, actor: Actor) -> None:
    """Tell an announced upload's owner that its encryption was cancelled; the plaintext stays. Idempotent.

    An object that nobody announced has no record that could say so; its job does.
    """
    upload = store.find_file(file_id)
    if not isinstance(upload, Upload) or upload.status is not FileStatus.AWAITING_UPLOAD:
        return
    if upload.source == source.as_document():
        return
    # With its source, the plaintext is this record's also once that is rejected, and is removed then
    noted = replace(upload, reason=_UPLOAD_AGAIN, source=source.as_document())
    with transaction(actor) as tx:
        changes.change(tx, upload, noted)
        tx.audit(FileEvent.ENCRYPTION_CANCELLED, file_id=file_id)
