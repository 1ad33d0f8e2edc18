"""Files shared with others: by grants on the document, so that its versions go with it (C16)."""

from datetime import datetime

from apps.access import grants
from apps.access.grants import GrantNotFound
from apps.access.records import Grant, Right
from apps.audit.records import Actor
from apps.common.dynamodb import Page, Position
from apps.files import services
from apps.files.records import File


def share(file_id: str, *, grantee: str, right: Right, actor: Actor, until: datetime | None = None) -> Grant:
    """Let a principal or group read or write a file; what they were granted before is replaced.

    Raises:
        FileNotFound: no such file, or another's.
        GrantNotFound: the actor may use the file, but does not own it.
        PrincipalNotFound: no such grantee.
        Invalid: the end is past, or the grantee owns the file.
    """
    file = services.find(file_id, actor=actor)
    return grants.give(grantee, _name(file), right, owner=file.owner, actor=actor, until=until)


def shared_with(file_id: str, *, actor: Actor, limit: int, position: Position | None = None) -> Page[Grant]:
    """Whom a file was granted to, newest first; for its owner.

    Raises:
        FileNotFound: no such file, or another's.
        GrantNotFound: the actor may use the file, but does not own it.
    """
    file = services.find(file_id, actor=actor)
    if not actor.may_see(file.owner):
        raise GrantNotFound("Only its owner sees whom a file is shared with.")
    return grants.grantees_page(_name(file), limit=limit, position=position)


def may_share(document_id: str, owner: str, *, actor: Actor, back: bool = False) -> bool:
    """Return whether an actor may share a document of an owner, or take it ``back`` from somebody who has it."""
    if not grants.may_give(actor, owner):
        return False
    return not back or bool(grants.grantees_page(grants.file_object(document_id), limit=1).records)


def unshare(file_id: str, *, grantee: str, actor: Actor) -> None:
    """Take a grant back; it ends at once.

    Raises:
        FileNotFound: no such file, or another's.
        GrantNotFound: there is none, or the actor does not own the file.
    """
    grants.revoke(grantee, _name(services.find(file_id, actor=actor)), actor=actor)


def _name(file: File) -> str:
    return grants.file_object(file.document_id)
