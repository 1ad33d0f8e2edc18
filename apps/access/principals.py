"""Persons, services and groups: made known, changed, disabled.

Nobody gives a right that they do not hold, nor changes somebody who holds more.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from apps.access import store
from apps.access.known import callers
from apps.access.records import Principal, PrincipalKind, PrincipalNotFound, PrincipalStatus, limited
from apps.access.roles import Role, Scope, scopes_of
from apps.access.store import PrincipalTable
from apps.access.trail import PrincipalEvent
from apps.audit.records import Actor, ActorKind, Event, Outcome
from apps.audit.services import Transaction, record, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, is_key
from apps.common.errors import Forbidden, Invalid, Refused
from apps.common.idempotency import keep


def make_service(
    name: str, *, role: Role, actor: Actor, groups: Sequence[str] = (), service_id: str | None = None
) -> Principal:
    """Make a service known. It acts with API keys that are issued for it.

    Raises:
        Invalid: the id is not letters and digits, of which the ids of its keys are made.
        Forbidden: the actor does not hold what the role allows.
        Refused: there is such a service already.
    """
    if service_id is not None and not (service_id.isascii() and service_id.isalnum()):
        raise Invalid.of("service_id", "Letters and digits only.")
    return _make(PrincipalKind.SERVICE, service_id or secrets.token_hex(8), name, role, actor, groups=groups)


def make_group(name: str, *, actor: Actor, group_id: str | None = None) -> Principal:
    """Make a group known, which owns what its members share.

    Raises:
        Refused: there is such a group already.
    """
    return _make(PrincipalKind.GROUP, group_id or secrets.token_hex(8), name, Role.VIEWER, actor)


def admit_person(user_id: str, name: str, *, role: Role, actor: Actor, approver: bool = False) -> Principal:
    """Give a person of the console rights that decide: to hold API keys, to be the second person.

    Raises:
        Forbidden: the actor does not hold what is given.
        Refused: the person is admitted already.
    """
    return _make(PrincipalKind.PERSON, user_id, name, role, actor, approver=approver)


def find(principal_id: str) -> Principal:
    """One principal, read consistently.

    Raises:
        PrincipalNotFound: no such principal.
    """
    found = PrincipalTable.find(principal_id)
    if found is None:
        raise PrincipalNotFound(f"There is no principal {principal_id!r}.")
    return found


def find_all(*principal_ids: str) -> dict[str, Principal]:
    """Those of some principals that exist, by id, read consistently by one call."""
    wanted = sorted({name for name in principal_ids if is_key(name)})
    return {found.principal_id: found for found in store.principals_of(wanted)}


def require_unchanged(tx: Transaction, principal: Principal, *, otherwise: Exception) -> None:
    """Let a transaction happen only while a principal is as it was read: what it may do has not ended meanwhile."""
    tx.require(PrincipalTable.of(principal), otherwise=otherwise)


def change(
    principal_id: str,
    *,
    actor: Actor,
    role: Role | None = None,
    groups: Sequence[str] | None = None,
    approver: bool | None = None,
    quotas: Mapping[str, int] | None = None,
) -> Principal:
    """Change what a principal may do, or use in a month; what is not given stays.

    Raises:
        PrincipalNotFound: no such principal, or no such group.
        Forbidden: the principal holds more than the actor, or is to get what the actor does not hold.
    """
    before = find(principal_id)
    after = replace(
        before,
        role=before.role if role is None else role,
        groups=before.groups if groups is None else _existing(groups),
        approver=before.approver if approver is None else approver,
        quotas=before.quotas if quotas is None else dict(quotas) or None,
    )
    _check_person(after)
    check_may_change(before, actor)
    check_may_give(after, actor)
    return _replace(
        after,
        PrincipalEvent.CHANGED,
        actor,
        role=after.role.value,
        groups=list(after.groups),
        approver=after.approver,
        **({} if quotas is None else {"quotas": dict(quotas)}),
    )


def disable(principal_id: str, *, reason: str, actor: Actor) -> Principal:
    """Let a principal act no more, with any of its keys or sign-ins.

    Raises:
        PrincipalNotFound: no such principal.
        Forbidden: it holds more than the actor.
        Refused: it is disabled already.
    """
    return _switch(principal_id, PrincipalStatus.DISABLED, PrincipalEvent.DISABLED, reason, actor)


def enable(principal_id: str, *, reason: str, actor: Actor) -> Principal:
    """Let a disabled principal act again.

    Raises:
        PrincipalNotFound, Forbidden, Refused: as ``disable``.
    """
    return _switch(principal_id, PrincipalStatus.ACTIVE, PrincipalEvent.ENABLED, reason, actor)


def principals_page(
    *, limit: int, position: Position | None = None, kind: PrincipalKind | None = None
) -> Page[Principal]:
    """Principals, newest first."""
    return store.principals_page(limit=limit, position=position, kind=kind)


def rights_of(actor: Actor) -> tuple[frozenset[Scope], bool]:
    """What an actor holds now: its scopes, and whether it may approve. The platform itself holds everything.

    Never more than the credential that it showed is limited to.

    A person who was not admitted, or is disabled, holds nothing that decides.
    """
    if actor.kind is ActorKind.SYSTEM:
        return scopes_of(Role.ADMINISTRATOR), True
    found = PrincipalTable.find(str(actor))
    if found is None or not found.active:
        return frozenset(), False
    return limited(found.scopes, actor.scopes), found.approver


def may_change(target_id: str, actor_id: str) -> bool:
    """Return whether somebody holds at least what another principal holds; nobody needs anything for who holds nothing."""
    found = find_all(target_id, actor_id)
    target, acting = found.get(target_id), found.get(actor_id)
    if target is None:
        return True
    return acting is not None and acting.active and _covers(acting.scopes, acting.approver, target)


def check_may_change(target: Principal, actor: Actor) -> None:
    """Refuse an actor who would change somebody who holds more; the attempt is recorded.

    Raises:
        Forbidden: the target holds a scope, or the right to approve, that the actor does not.
    """
    _check_holds(
        target, actor, f"{target.principal_id} holds more than you: only who holds as much may change it."
    )


def check_may_give(wanted: Principal, actor: Actor) -> None:
    """Refuse an actor who would give what they do not hold; the attempt is recorded.

    Raises:
        Forbidden: the actor lacks one of the scopes, or the right to approve.
    """
    _check_holds(wanted, actor, "You can only give rights that you hold yourself.")


def _check_holds(rights: Principal, actor: Actor, message: str) -> None:
    scopes, approver = rights_of(actor)
    if _covers(scopes, approver, rights):
        return
    record(actor, PrincipalEvent.CHANGED, outcome=Outcome.DENIED, principal=rights.principal_id)
    raise Forbidden(message)


def _covers(scopes: frozenset[Scope], approver: bool, rights: Principal) -> bool:
    return rights.scopes <= scopes and (approver or not rights.approver)


def _check_person(wanted: Principal) -> None:
    if wanted.approver and wanted.kind is not PrincipalKind.PERSON:
        raise Invalid.of("approver", "Only a person can approve.")


def _existing(groups: Sequence[str]) -> tuple[str, ...]:
    for group in groups:
        if not group.startswith(f"{PrincipalKind.GROUP}:"):
            raise Invalid.of("groups", f"{group!r} is not the id of a group (group:<id>).")
        find(group)
    return tuple(sorted(set(groups)))


def _make(
    kind: PrincipalKind,
    identifier: str,
    name: str,
    role: Role,
    actor: Actor,
    *,
    groups: Sequence[str] = (),
    approver: bool = False,
) -> Principal:
    made = Principal(
        principal_id=f"{kind}:{identifier}",
        kind=kind,
        name=name,
        role=role,
        status=PrincipalStatus.ACTIVE,
        created_at=clock.now(),
        created_by=str(actor),
        groups=_existing(groups),
        approver=approver,
    )
    check_may_give(made, actor)
    row = PrincipalTable.of(made)
    with transaction(actor) as tx:
        keep(tx, "principal", principal_id=made.principal_id)
        tx.put(row, otherwise=Refused(f"There is a principal {made.principal_id} already."))
        tx.audit(
            PrincipalEvent.MADE, principal=made.principal_id, name=name, role=role.value, approver=approver
        )
    return row.record()


def _switch(principal_id: str, status: PrincipalStatus, event: Event, reason: str, actor: Actor) -> Principal:
    before = find(principal_id)
    check_may_change(before, actor)
    if before.status is status:
        raise Refused(f"{principal_id} is {status} already.")
    return _replace(replace(before, status=status, reason=reason), event, actor, reason=reason)


def _replace(after: Principal, event: Event, actor: Actor, **detail: Any) -> Principal:
    row = PrincipalTable.of(after)
    with transaction(actor) as tx:
        tx.replace(
            row, otherwise=Refused(f"{after.principal_id} was changed by someone else meanwhile. Try again.")
        )
        tx.audit(event, principal=after.principal_id, **detail)
    callers.clear()  # of all keys: which are this principal's is not known by its id
    return row.record()
