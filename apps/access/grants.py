"""Grants: somebody reads or writes what is another's, until a moment or for good.

Only callers who are neither owner nor see everything are looked up, by one BatchGetItem over what they and their
groups may have been granted.
"""

from collections.abc import Sequence
from datetime import datetime

from apps.access import principals, store
from apps.access.records import Grant, Right
from apps.access.roles import Role, scopes_of
from apps.access.store import GrantTable
from apps.access.trail import GrantEvent
from apps.audit.records import Actor, Event, Outcome
from apps.audit.services import record, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid, NotFound, Refused
from apps.common.idempotency import keep


class GrantNotFound(NotFound):
    """No such grant, or not one of the actor's."""


def file_object(file_id: str) -> str:
    """The name of one file, as an object of grants."""
    return f"file:{file_id}"


def file_id_of(name: str) -> str | None:
    """Return the file that an object of grants names, or None where it names all of a type."""
    kind, _, identifier = name.partition(":")
    return identifier if kind == "file" else None


def type_object(owner: str, document_type: str) -> str:
    """The name of all of an owner's files of one document type."""
    return f"type:{owner}|{document_type}"


def give(
    grantee: str, name: str, right: Right, *, owner: str, actor: Actor, until: datetime | None = None
) -> Grant:
    """Let a principal or group read or write an object; a grant that is there already is replaced.

    Args:
        grantee: id of a person, service or group.
        name: of the object, by ``file_object`` or ``type_object``.
        right: what it allows.
        owner: of the object; the actor has to be the owner, of its group, or an administrator.
        actor: who gives it.
        until: when it ends; None: when it is revoked.

    Raises:
        PrincipalNotFound: no such grantee.
        GrantNotFound: the object is not the actor's to give.
        Invalid: the end is past, or the grantee owns the object.
    """
    _check_gives(actor, owner, name, GrantEvent.GIVEN)
    if until is not None and until <= clock.now():
        raise Invalid.of("until", "The end has to be in the future.")
    if grantee == owner:
        raise Invalid.of("grantee", "The owner needs no grant.")
    principals.find(grantee)
    before = GrantTable.find(_id(grantee, name))
    made = Grant(
        grant_id=_id(grantee, name),
        grantee=grantee,
        object=name,
        right=right,
        owner=owner,
        granted_at=clock.now(),
        granted_by=str(actor),
        until=until,
        tag=before.tag if before else "",
    )
    row = GrantTable.of(made)
    with transaction(actor) as tx:
        keep(tx, "grant", grant_id=made.grant_id)
        changed = Refused("The grant was changed by someone else meanwhile. Try again.")
        if before is None:
            tx.put(row, otherwise=changed)
        else:
            tx.replace(row, otherwise=changed)
        tx.audit(
            GrantEvent.GIVEN,
            grantee=grantee,
            object=name,
            right=right.value,
            until=None if until is None else clock.as_text(until),
        )
    return row.record()


def find(grant_id: str, *, actor: Actor) -> Grant:
    """One grant: of something of the actor's, to the actor or a group of its, or any for who sees everything.

    Raises:
        GrantNotFound: there is none that the actor may know of.
    """
    found = GrantTable.find(grant_id)
    if found is None or not (actor.may_see(found.owner) or actor.may_see(found.grantee)):
        raise GrantNotFound("There is no such grant of yours.")
    return found


def revoke(grantee: str, name: str, *, actor: Actor) -> None:
    """Take a grant back; it ends at once.

    Raises:
        GrantNotFound: there is none, or it is not the actor's to take back.
    """
    found = GrantTable.find(_id(grantee, name))
    if found is None:
        raise GrantNotFound("There is no such grant of yours.")
    _check_gives(actor, found.owner, name, GrantEvent.REVOKED)
    with transaction(actor) as tx:
        tx.delete(GrantTable.of(found), otherwise=GrantNotFound("There is no such grant any more."))
        tx.audit(GrantEvent.REVOKED, grantee=grantee, object=name)


def may_give(actor: Actor, owner: str) -> bool:
    """Return whether an actor may grant what somebody owns.

    To see everything is not enough: who sees records may read no content.
    """
    own = owner == str(actor) or owner in actor.groups
    return own or principals.rights_of(actor)[0] >= scopes_of(Role.ADMINISTRATOR)


def _check_gives(actor: Actor, owner: str, name: str, event: Event) -> None:
    """Refuse who may not grant an object."""
    named = not name.startswith("type:") or name.startswith(f"type:{owner}|")
    if named and may_give(actor, owner):
        return
    record(actor, event, outcome=Outcome.DENIED, object=name)
    raise GrantNotFound("There is nothing of yours to grant under this name.")


def is_granted(actor: Actor, names: Sequence[str], right: Right) -> bool:
    """Return whether the actor, or a group of its, was granted a right on one of these objects; one BatchGetItem."""
    grantees = [str(actor), *sorted(actor.groups)]
    wanted = [_id(grantee, name) for grantee in grantees for name in names]
    moment = clock.now()
    return any(grant.allows(right, moment) for grant in store.grants_of(wanted[:100]))


def granted_page(grantee: str, *, limit: int, position: Position | None = None) -> Page[Grant]:
    """What was granted to a principal or group, newest first."""
    return store.grants_to(grantee, limit=limit, position=position)


def grantees_page(name: str, *, limit: int, position: Position | None = None) -> Page[Grant]:
    """Who was granted something on an object, newest first."""
    return store.grants_on(name, limit=limit, position=position)


def _id(grantee: str, name: str) -> str:
    return f"{grantee}|{name}"
