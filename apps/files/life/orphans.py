"""Bodies that were given up are removed for good."""

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.sweeps import each
from apps.files import store
from apps.files.bodies import orphans
from apps.files.records import File, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.sessions import quantum_keys


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
