"""Attempts that never came back are ended, and the bodies that were given up removed for good."""

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.sweeps import each
from apps.files import store
from apps.files.bodies import orphans
from apps.files.records import Orphan
from apps.files.store import FileTable, Kind
from apps.files.trail import FileEvent
from apps.files.uploads import attempts
from apps.sessions import quantum_keys
from apps.sessions.records import QuantumKey


def end_attempt(reserved: QuantumKey, *, actor: Actor) -> None:
    """End an attempt that never came back: from here on it cannot commit, and its body is removed."""
    body = attempts.place_of(reserved.subject, reserved.key_id)
    orphan = orphans.find_note(body)
    if orphan is None:
        reason = "The attempt that wrote it did not come back."
        with transaction(actor) as tx:
            orphan = orphans.note(
                tx, body, document_id=reserved.subject, reason=reason, reservation=reserved.key_id
            )
            tx.audit(FileEvent.BODY_REMOVED, file_id=reserved.subject, phase="begun", keys=[body.key])
    # Noted first: were the key discarded before, nothing would name the body if this process ended here
    quantum_keys.discard([reserved], actor=actor)
    orphans.remove(orphan)


def remove_due(*, actor: Actor) -> int:
    """Settle the orphans under whose keys nothing can arrive any more; returns how many."""
    # An URL to put the body, and an attempt to write it, last no longer than this
    moment = clock.ago(settings.PRESIGNED_SECONDS + quantum_keys.RESERVED_SECONDS)
    return each(store.orphans_before(moment), lambda orphan: _settle(orphan, actor))


def _settle(orphan: Orphan, actor: Actor) -> None:
    removed = orphans.remove(orphan)
    with transaction(actor) as tx:
        tx.delete(FileTable.of(orphan), condition=FileTable.kind == Kind.ORPHAN)
        tx.audit(
            FileEvent.BODY_REMOVED,
            file_id=orphan.document_id,
            phase="done",
            keys=[orphan.body["key"]],
            late=removed,
        )
