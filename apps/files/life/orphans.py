"""Attempts that never came back are ended, and the bodies that were given up removed for good."""

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.sweeps import each
from apps.files import store
from apps.files.bodies import orphans
from apps.files.bodies.objects import ObjectRef
from apps.files.records import File, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.files.uploads import attempts
from apps.sessions import quantum_keys
from apps.sessions.records import QuantumKey


def end_attempt(reserved: QuantumKey, *, actor: Actor) -> None:
    """End an attempt that never came back: from here on it cannot commit, and its body is removed."""
    body = ObjectRef(settings.ENCRYPTED_BUCKET, attempts.object_key(reserved.subject, reserved.key_id))
    note = orphans.find_note(body)
    if note is None:
        reason = "The attempt that wrote it did not come back."
        with transaction(actor) as tx:
            note = orphans.note(
                tx, body, document_id=reserved.subject, reason=reason, reservation=reserved.key_id
            )
            tx.audit(FileEvent.BODY_REMOVED, file_id=reserved.subject, phase="begun", keys=[body.key])
    quantum_keys.discard([reserved], actor=actor)
    orphans.remove(note)


def remove_due(*, actor: Actor) -> int:
    """Settle the notes under whose keys nothing can arrive any more; returns how many."""
    moment = clock.ago(settings.PRESIGNED_SECONDS + quantum_keys.RESERVED_SECONDS)
    return each(store.in_status_before(FileStatus.LEFTOVER, moment), lambda note: _settle(note, actor))


def _settle(note: File, actor: Actor) -> None:
    removed = orphans.remove(note)
    with transaction(actor) as tx:
        tx.delete(FileTable.of(note), condition=FileTable.status == FileStatus.LEFTOVER)
        tx.audit(
            FileEvent.BODY_REMOVED,
            file_id=note.document_id,
            phase="done",
            keys=[note.body["key"]],
            late=removed,
        )
