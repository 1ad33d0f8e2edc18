"""Files as their owners see them: found, listed, deleted, restored."""

from dataclasses import replace
from datetime import timedelta

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import may_see, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.files import changes, store
from apps.files.records import Document, File, FileNotFound, StorageClass
from apps.files.states import FileNotReady, FileStatus, Transition, refusal, transition

CHANGED = (
    "The file was changed by someone else meanwhile. Look at it again, then repeat the request if needed."
)


def find(file_id: str, *, actor: Actor) -> File:
    """One file that the actor may see.

    Raises:
        FileNotFound: no such file, or another's.
    """
    file = store.find_file(file_id)
    if file is None or not may_see(actor, file.owner, file_id=file_id):
        raise FileNotFound(f"There is no file {file_id!r}.")
    return file


def find_document(file_id: str, *, actor: Actor, to: str) -> Document:
    """One document that the actor may see, and whose state allows a transition of this name.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: its state does not allow the transition.
    """
    file = find(file_id, actor=actor)
    transition(to, file.status)
    if not isinstance(file, Document):
        raise FileNotReady(refusal(to, file.status))
    return file


def files_page(
    *,
    actor: Actor,
    limit: int,
    position: Position | None = None,
    document_type: str | None = None,
    status: FileStatus | None = None,
) -> Page[File]:
    """Files that the actor may see, newest first; ``status`` needs the scope owners:all."""
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


def delete(file_id: str, *, actor: Actor) -> Document:
    """Hide a file; nothing of it is removed for DELETION_WINDOW_DAYS, so that ``restore`` can bring it back.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: deleted already, its upload is still awaited, or it is on its way to or from cold storage.
    """
    document = find_document(file_id, actor=actor, to="delete")
    until = clock.now() + timedelta(days=settings.DELETION_WINDOW_DAYS)
    return _move(document, transition("delete", document.status), actor, shred_after=until)


def restore(file_id: str, *, actor: Actor) -> Document:
    """Bring a deleted file back, to where it was.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not deleted.
    """
    document = find_document(file_id, actor=actor, to="restore")
    cold = document.storage_class is not StorageClass.STANDARD
    target = FileStatus.ARCHIVED if cold else FileStatus.ENCRYPTED
    return _move(document, transition("restore", document.status, target), actor, shred_after=None)


def _move(document: Document, step: Transition, actor: Actor, **fields: object) -> Document:
    moved = replace(document, status=step.target, **fields)  # type: ignore[arg-type]  # the table's targets
    with transaction(actor) as tx:
        moved = changes.change(tx, document, moved, otherwise=FileNotReady(CHANGED))
        tx.audit(step.event, file_id=document.file_id)
    return moved
