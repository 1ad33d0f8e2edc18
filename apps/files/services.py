"""Files as their owners see them: found, listed, deleted, restored."""

from dataclasses import replace
from datetime import timedelta

from django.conf import settings

from apps.audit.records import Actor, Event
from apps.audit.services import may_see, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.files import store
from apps.files.records import File, FileNotFound, FileNotReady, FileStatus, StorageClass
from apps.files.store import FileTable
from apps.files.trail import FileEvent


def find(file_id: str, *, actor: Actor) -> File:
    """One file that the actor may see.

    Raises:
        FileNotFound: no such file, or another's.
    """
    file = FileTable.find(file_id)
    if file is None or not may_see(actor, file.owner, file_id=file_id):
        raise FileNotFound(f"There is no file {file_id!r}.")
    return file


def listed(
    *,
    actor: Actor,
    limit: int,
    position: Position | None = None,
    document_type: str | None = None,
    status: FileStatus | None = None,
) -> Page[File]:
    """Files that the actor may see, newest first; ``status`` is for those who see all."""
    owner = None if actor.sees_all else str(actor)
    return store.files_page(
        limit=limit,
        position=position,
        owner=owner,
        document_type=document_type,
        status=None if owner else status,
    )


def session_of(quantum_key_id: str | None) -> str | None:
    """The session that a quantum key was cut from, for the audit trail."""
    return quantum_key_id.rpartition(".")[0] if quantum_key_id else None


def delete(file_id: str, *, actor: Actor) -> File:
    """Hide a file; nothing of it is removed for DELETION_WINDOW_DAYS, so that ``restore`` can bring it back.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: deleted already, its upload is still awaited, or it is being moved.
    """
    file = find(file_id, actor=actor)
    if file.status not in {FileStatus.ENCRYPTED, FileStatus.ARCHIVED} or file.document_id:
        raise FileNotReady(f"The file is {file.status}; only an encrypted or archived one can be deleted.")
    until = clock.now() + timedelta(days=settings.DELETION_WINDOW_DAYS)
    return _moved(replace(file, shred_after=until), FileStatus.DELETED, FileEvent.DELETED, actor)


def restore(file_id: str, *, actor: Actor) -> File:
    """Bring a deleted file back, to where it was.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not deleted.
    """
    file = find(file_id, actor=actor)
    if file.status is not FileStatus.DELETED:
        raise FileNotReady(f"The file is {file.status}; only a deleted one can be restored.")
    cold = file.storage_class is not StorageClass.STANDARD
    status = FileStatus.ARCHIVED if cold else FileStatus.ENCRYPTED
    return _moved(replace(file, shred_after=None), status, FileEvent.RESTORED, actor)


def _moved(file: File, target: FileStatus, event: Event, actor: Actor) -> File:
    moved = replace(file, status=target)
    shred_after, shred_feed = FileTable.shred_after, FileTable.shred_feed
    window = (
        [shred_after.set(file.shred_after), shred_feed.set(feed(store.LISTED, file.file_id))]
        if file.shred_after
        else [shred_after.remove(), shred_feed.remove()]
    )
    with transaction(actor) as tx:
        tx.update(
            FileTable.of(file),
            [FileTable.status.set(target), FileTable.status_feed.set(feed(target, file.file_id)), *window],
            condition=FileTable.status == file.status,
            otherwise=FileNotReady("The file was changed by someone else meanwhile."),
        )
        tx.audit(event, file_id=file.file_id)
    return moved
