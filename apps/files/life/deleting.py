"""Files deleted by whoever may write them: documents for a while, uploads for good."""

from apps.access.records import Right
from apps.audit.records import Actor
from apps.files import services
from apps.files.records import File, Upload
from apps.files.uploads import giving_up


def delete(file_id: str, *, actor: Actor) -> File:
    """Delete a document, which can be restored for a while, or an upload that is awaited or was rejected.

    Raises:
        as ``services.delete`` and ``giving_up.delete``.
    """
    file = services.find(file_id, actor=actor, right=Right.WRITE)
    if isinstance(file, Upload):
        return giving_up.delete(file, actor=actor)
    return services.delete(file_id, actor=actor)
