"""Bodies that were given up are removed for good."""

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.sweeps import each
from apps.files import store
from apps.files.bodies import orphans
from apps.files.records import Orphan
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.sessions import reservations


def remove_due(*, actor: Actor) -> int:
    """Settle the orphans under whose keys nothing can arrive any more; returns how many."""
    # An URL to put the body, and an attempt to write it, last no longer than this
    moment = clock.ago(settings.PRESIGNED_SECONDS + reservations.RESERVED_SECONDS)
    return each(store.orphans_before(moment), lambda orphan: _settle(orphan, actor))


def _settle(orphan: Orphan, actor: Actor) -> None:
    removed = orphans.remove(orphan)
    with transaction(actor) as tx:
        tx.delete(FileTable.of(orphan))
        tx.audit(
            FileEvent.BODY_REMOVED,
            file_id=orphan.document_id,
            phase="done",
            keys=[orphan.body["key"]],
            late=removed,
        )
