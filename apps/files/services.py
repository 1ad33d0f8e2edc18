"""Files as their owners see them: found, listed, deleted, restored."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from django.conf import settings

from apps.access import grants
from apps.access.records import Right
from apps.audit.records import Actor
from apps.audit.services import may_see, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid
from apps.files import changes, store
from apps.files.records import Document, File, FileNotFound, StorageClass
from apps.files.states import FileNotReady, FileStatus, Transition, refusal, transition

ME = "me"
CHANGED = (
    "The file was changed by someone else meanwhile. Look at it again, then repeat the request if needed."
)


def find(file_id: str, *, actor: Actor, right: Right = Right.READ) -> File:
    """One file that is the actor's or its group's, or on which it was granted this right.

    Grants are looked up, by one call, only for who does not own the file.

    Raises:
        FileNotFound: no such file, or another's.
    """
    file = store.find_file(file_id)
    if file is None or not _may(actor, file, right):
        raise FileNotFound(f"There is no file {file_id!r}.")
    return file


def _may(actor: Actor, file: File, right: Right) -> bool:
    """Return whether an actor holds a right on a file; where not, that they tried is recorded (D1)."""
    if not actor.may_see(file.owner) and grants.is_granted(actor, _as_objects(file), right):
        return True
    return may_see(actor, file.owner, file_id=file.file_id)


class Owned(Protocol):
    """What says whose a file is: its record, or what the console shows of it."""

    @property
    def document_id(self) -> str:
        """The document that it is, or is a version of."""

    @property
    def owner(self) -> str:
        """Whose it is."""

    @property
    def document_type(self) -> str:
        """Its type, all of which a grant may name."""


def may_write(file: Owned, *, actor: Actor) -> bool:
    """Return whether an actor who found a file may change it, too: it is theirs, or was granted so; nothing is recorded."""
    return actor.may_see(file.owner) or grants.is_granted(actor, _as_objects(file), Right.WRITE)


def _as_objects(file: Owned) -> list[str]:
    """What a grant may name: the document (for its versions and their uploads too), or all of a type."""
    return [grants.file_object(file.document_id), grants.type_object(file.owner, file.document_type)]


def find_document(file_id: str, *, actor: Actor, to: str) -> Document:
    """One document that the actor may write, and whose state allows a transition of this name.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: its state does not allow the transition.
    """
    file = find(file_id, actor=actor, right=Right.WRITE)
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
    owner: str | None = None,
) -> Page[File]:
    """Files that the actor may see, newest first; ``status`` needs the scope owners:all.

    Args:
        actor: who asks.
        limit: of the page.
        position: where it starts.
        document_type: of this type only.
        status: in this state only.
        owner: ``me``, or one of the actor's groups; None: the actor's own, or all with the scope owners:all.

    Raises:
        Invalid: another's files, or those of a group that the actor does not belong to.
    """
    owner = listed_owner(actor, owner)
    return store.files_page(
        limit=limit,
        position=position,
        owner=owner,
        document_type=document_type,
        status=None if owner else status,
    )


def owner_for(actor: Actor, owner: str | None) -> str:
    """Return who owns what an actor makes: itself, or a group of its that it names.

    Raises:
        Invalid: the actor does not belong to such a group.
    """
    if owner is None or owner in {ME, str(actor)}:
        return str(actor)
    if owner not in actor.groups:
        raise Invalid.of("owner", "Name a group that you belong to (group:<id>), or leave it out.")
    return owner


def listed_owner(actor: Actor, owner: str | None) -> str | None:
    """Whose files are listed: None for all, which the scope owners:all sees.

    Raises:
        Invalid: another's, or those of a group that the actor does not belong to.
    """
    if owner is None and actor.sees_all:
        return None
    return owner if owner is not None and actor.sees_all and owner != ME else owner_for(actor, owner)


def session_of(quantum_key_id: str | None) -> str | None:
    """The session that a quantum key was cut from, for the audit trail."""
    return quantum_key_id.rpartition(".")[0] if quantum_key_id else None


def delete(file_id: str, *, actor: Actor, reason: str | None = None) -> Document:
    """Hide a file; nothing of it is removed for DELETION_WINDOW_DAYS, so that ``restore`` can bring it back.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: deleted already, its upload is still awaited, or it is on its way to or from cold storage.
    """
    document = find_document(file_id, actor=actor, to="delete")
    until = clock.now() + timedelta(days=settings.DELETION_WINDOW_DAYS)
    return _move(document, transition("delete", document.status), actor, reason, shred_after=until)


def restore(file_id: str, *, actor: Actor) -> Document:
    """Bring a deleted file back, to where it was.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not deleted.
    """
    document = find_document(file_id, actor=actor, to="restore")
    cold = document.storage_class is not StorageClass.STANDARD
    target = FileStatus.ARCHIVED if cold else FileStatus.ENCRYPTED
    # One whose lifetime ended is brought back for good
    over = document.expires_at is not None and document.expires_at <= clock.now()
    back: dict[str, Any] = {"shred_after": None, "expires_at": None if over else document.expires_at}
    return _move(document, transition("restore", document.status, target), actor, **back)


def _move(
    document: Document, step: Transition, actor: Actor, reason: str | None = None, **fields: Any
) -> Document:
    moved = replace(document, status=step.target, **fields)  # type: ignore[arg-type]  # the table's targets
    with transaction(actor) as tx:
        moved = changes.change(tx, document, moved, otherwise=FileNotReady(CHANGED))
        tx.audit(step.event, file_id=document.file_id, reason=reason)
    return moved
