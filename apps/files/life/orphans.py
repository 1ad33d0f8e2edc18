"""Bodies that nothing will ever refer to: noted with what gave them up, then removed.

A note is a row of the files table (status ``leftover``, listed by that only) that names one object key. It is
written before anything is removed, so an interrupted removal is taken up again; and it stays until whoever may
still be writing under that key has ended, so what arrives late is removed as well.
"""

from dataclasses import replace

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import feed
from apps.common.sweeps import each
from apps.files import store
from apps.files.bodies import objects
from apps.files.bodies.objects import BODIES_PREFIX, ObjectRef
from apps.files.records import File, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.sessions import quantum_keys
from apps.sessions.records import QuantumKey, QuantumKeyState

_KIND = "leftover"


def attempt_key(document_id: str, quantum_key_id: str) -> str:
    """The object key under which one attempt writes its body: no other attempt has its quantum key."""
    return f"{BODIES_PREFIX}{document_id}/{quantum_key_id}"


def noted(
    tx: Transaction, body: ObjectRef, *, document_id: str, reason: str, reservation: str | None = None
) -> File:
    """Note in a transaction that what lies under an object key is given up.

    Args:
        tx: makes sure that no record will refer to it, unless ``reservation`` does.
        body: bucket and key; without a version, whatever lies or arrives under the key.
        document_id: whose it would have been.
        reason: for the operator.
        reservation: the quantum key whose discarding makes sure; until then nothing is removed.
    """
    note = File(
        file_id=_id_of(body),
        name=body.key,
        document_type=_KIND,
        owner=str(tx.actor),
        status=FileStatus.LEFTOVER,
        uploaded_at=clock.now(),
        document_id=document_id,
        body=body.as_document(),
        quantum_key_id=reservation,
        reason=reason,
    )
    tx.put(FileTable.of(note))
    return note


def _id_of(body: ObjectRef) -> str:
    return f"{_KIND}.{body.key}" + (f".{body.version}" if body.version else "")


def note_of(body: ObjectRef) -> File | None:
    """The note on a body that was given up, until it is settled."""
    return FileTable.find(_id_of(body))


def end_attempt(reserved: QuantumKey, *, actor: Actor) -> None:
    """End an attempt that never came back: from here on it cannot commit, and its body is removed."""
    body = ObjectRef(settings.ENCRYPTED_BUCKET, attempt_key(reserved.subject, reserved.key_id))
    note = note_of(body)
    if note is None:
        reason = "The attempt that wrote it did not come back."
        with transaction(actor) as tx:
            note = noted(tx, body, document_id=reserved.subject, reason=reason, reservation=reserved.key_id)
            tx.audit(FileEvent.BODY_REMOVED, file_id=reserved.subject, phase="begun", keys=[body.key])
    quantum_keys.discard([reserved], actor=actor)
    remove(note)


def give_up_upload(file: File, *, reason: str, actor: Actor, otherwise: Exception | None = None) -> File:
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
            note = noted(tx, ObjectRef.of(file.body), document_id=file.file_id, reason=reason)
        tx.audit(FileEvent.REJECTED, file_id=file.file_id, reason=reason)
    if "id" in file.upload:
        objects.abort(file.upload["bucket"], file.upload["key"], file.upload["id"])
    if note is not None:
        remove(note)
    return rejected


def remove(note: File) -> int:
    """Remove what lies under a note's key now; returns how many versions."""
    if note.quantum_key_id and not _is_discarded(note.quantum_key_id):
        return 0
    body = ObjectRef.of(note.body)
    given_up = [body] if body.version else objects.versions_of(body.bucket, body.key)
    return each(given_up, objects.remove)


def remove_due(*, actor: Actor) -> int:
    """Settle the notes under whose keys nothing can arrive any more; returns how many."""
    moment = clock.ago(settings.PRESIGNED_SECONDS + quantum_keys.RESERVED_SECONDS)
    return each(store.in_status_before(FileStatus.LEFTOVER, moment), lambda note: _settle(note, actor))


def _settle(note: File, actor: Actor) -> None:
    removed = remove(note)
    with transaction(actor) as tx:
        tx.delete(FileTable.of(note), condition=FileTable.status == FileStatus.LEFTOVER)
        tx.audit(
            FileEvent.BODY_REMOVED,
            file_id=note.document_id,
            phase="done",
            keys=[note.body["key"]],
            late=removed,
        )


def _is_discarded(quantum_key_id: str) -> bool:
    """Whether a reservation has ended unused: it is read consistently, and never changes again."""
    key = quantum_keys.find_taken(quantum_key_id)
    return key is not None and key.state is QuantumKeyState.DISCARDED
