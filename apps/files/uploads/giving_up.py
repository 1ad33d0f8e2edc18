"""Uploads that were announced and do not come."""

from dataclasses import replace

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common.dynamodb import feed
from apps.files import services
from apps.files.bodies import objects, orphans
from apps.files.bodies.objects import ObjectRef
from apps.files.records import AWAITED, File, FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent

KEPT_SECONDS = 86_400  # of a plaintext whose encryption was cancelled, for its owner to decide anew
CANCELLED = "Its encryption was cancelled, and its content was not uploaded again."
_UPLOAD_AGAIN = "Its encryption was cancelled. Upload the content again to have it encrypted."


def abort(file_id: str, *, actor: Actor) -> File:
    """Give an announced upload up; what has come of it is removed.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: its bytes have arrived already.
    """
    file = services.find(file_id, actor=actor)
    refused = FileNotReady(f"The file is {file.status}; only an upload that is awaited can be aborted.")
    if file.status not in AWAITED:
        raise refused
    return give_up(file, reason="The upload was aborted.", actor=actor, otherwise=refused)


def give_up(file: File, *, reason: str, actor: Actor, otherwise: Exception | None = None) -> File:
    """Reject an announced upload; what has come of it is removed.

    Raises:
        otherwise, or Conflict: it is no longer awaited.
    """
    rejected = replace(file, status=FileStatus.REJECTED, reason=reason, upload={}, body={})
    note = None
    with transaction(actor) as tx:
        tx.update(
            FileTable.of(file),
            [
                FileTable.status.set(rejected.status),
                FileTable.status_feed.set(feed(rejected.status, file.file_id)),
                FileTable.reason.set(reason),
                FileTable.upload.set({}),
                FileTable.key_feed.remove(),
                FileTable.body.set({}),  # names none any more
            ],
            condition=FileTable.status == file.status,
            otherwise=otherwise,
        )
        if file.status is FileStatus.AWAITING_BODY:  # plaintext that arrives is removed by its event
            note = orphans.note(tx, ObjectRef.of(file.body), document_id=file.file_id, reason=reason)
        tx.audit(FileEvent.REJECTED, file_id=file.file_id, reason=reason)
    if "id" in file.upload:
        objects.abort(file.upload["bucket"], file.upload["key"], file.upload["id"])
    if note is not None:
        orphans.remove(note)
    return rejected


def note_cancelled(file_id: str, source: ObjectRef, *, actor: Actor) -> None:
    """Tell an announced upload's owner that its encryption was cancelled; the plaintext stays. Idempotent.

    An object that nobody announced has no record that could say so; its job does.
    """
    file = FileTable.find(file_id)
    if file is None or file.status is not FileStatus.AWAITING_UPLOAD or file.source == source.as_document():
        return
    with transaction(actor) as tx:
        tx.update(
            FileTable.of(file),
            # With its source, the plaintext is this record's also once that is rejected, and is removed then
            [FileTable.reason.set(_UPLOAD_AGAIN), FileTable.source.set(source.as_document())],
            condition=FileTable.status == FileStatus.AWAITING_UPLOAD,
        )
        tx.audit(FileEvent.ENCRYPTION_CANCELLED, file_id=file_id)
