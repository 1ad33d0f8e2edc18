"""Files with a lifetime: deleted when it ends, then shredded as whatever was deleted."""

from apps.audit.records import Actor
from apps.common import clock
from apps.common.sweeps import each
from apps.files import services, store


def delete_due(*, actor: Actor) -> int:
    """Delete every document whose lifetime has ended; returns how many. The sweep's part.

    What is on its way to or from cold storage follows once it is there.
    """
    due = list(store.due_for_deletion(clock.now()))
    return each(
        due, lambda document: services.delete(document.file_id, actor=actor, reason="Its lifetime ended.")
    )
