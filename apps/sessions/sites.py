"""Sessions that two sites run together: each keeps its end, and gives no key of it before both hold it and find it clean.

A session has one id at both sites, so that its quantum keys have one id, too. Which site gives them out follows from it:
the two never take the same piece. What a site gives out, the other takes by its id (``take_named``).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Conflict, Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import is_key
from apps.links import services as links
from apps.links.records import Link
from apps.sessions import blocks, finals, store, transitions
from apps.sessions.committing import KeyTaken
from apps.sessions.records import (
    KeyPurpose,
    QuantumKey,
    QuantumKeyState,
    Session,
    SessionNotFound,
    SessionStatus,
    SessionUnusable,
    SiteState,
)
from apps.sessions.store import FinalKeyTable, QuantumKeyTable, SessionTable
from apps.sessions.trail import SessionEvent
from apps.sessions.usable import check_link

ALICE, BOB = "alice", "bob"
LATEST = 200  # sessions of a link that the sites compare: what is older is settled
LOOKED_AT_AGAIN = 20  # of those that both gave out already: whether one of them was revoked since
HOLD_SECONDS = 600  # that an end waits for the other site to hold its own; then it is dropped
OPEN = frozenset({SessionStatus.PENDING, SessionStatus.READY})


def issuer_of(session_id: str) -> str:
    """Which end of a session gives its keys out: its id says so, at both sites.

    >>> issuer_of("00000000-0000-4000-8000-000000000000"), issuer_of("00000000-0000-4000-8000-000000000001")
    ('alice', 'bob')
    """
    return ALICE if int(session_id[-1], 16) % 2 == 0 else BOB


def keep(link: Link, found: Mapping[str, Any], key: bytes | None, *, actor: Actor) -> Session:
    """Keep this site's end of a session, ``pending`` until it is judged, and ``held`` until both sites are ready.

    Args:
        link: as it was read before the session was run.
        found: fields of the session that its end knows.
        key: None where the session gave none.
        actor: whose it is: the platform.

    Raises:
        Conflict: there is a session of this id.
        LinkUnusable (at commit): the link was taken out of use meanwhile; the key is dropped.
    """
    made = _record(link, found, key, str(actor))
    final = None if key is None else finals.wrap(made, key)
    row = SessionTable.of(made)
    with transaction(actor) as tx:
        links.require_running(tx, link)
        tx.put(row)
        if final is not None:
            tx.put(FinalKeyTable.of(final))
        tx.audit(
            SessionEvent.SHARED,
            session_id=made.session_id,
            link=link.link_id,
            final_key_length=made.final_key_length,
            reason_code=made.reason_code,
            commitment=None if final is None else final.commitment,
        )
    return row.record()


def _record(link: Link, found: Mapping[str, Any], key: bytes | None, owner: str) -> Session:
    moment = clock.now()
    bits = 0 if key is None else 8 * len(key)
    return Session(
        timestamp=moment,
        status=SessionStatus.PENDING,
        owner=owner,
        link=link.link_id,
        final_key_length=bits,
        secret=key is not None,
        keys_total=bits // settings.QUANTUM_KEY_BITS,
        ttl=int((moment + timedelta(days=settings.SESSION_TTL_DAYS)).timestamp()),
        site=SiteState.HELD,
        **found,
    )


def unsettled(link_id: str) -> list[Session]:
    """The sessions over a link of which this site has to know what became of their other end."""
    found = store.sessions_page(limit=LATEST, link=link_id).records
    held = [one for one in found if one.status in OPEN and one.site is SiteState.HELD]
    agreed = [one for one in found if one.status in OPEN and one.site is SiteState.AGREED]
    return held + agreed[:LOOKED_AT_AGAIN]


def coming(held: Iterable[Session], role: str) -> int:
    """How many keys this end will have to give out once its held sessions are agreed on."""
    return sum(
        int(one.keys_total)
        for one in held
        if one.site is SiteState.HELD and issuer_of(one.session_id) == role
    )


def statuses(link_id: str, session_ids: Sequence[str]) -> dict[str, str]:
    """What became here of some sessions over a link, as the other site is told; those not held here are left out."""
    wanted = sorted({one for one in session_ids if is_key(one)})
    return {
        one.session_id: one.status.value
        for one in (store.sessions_of(wanted) if wanted else [])
        if one.site is not None and one.link == link_id
    }


def settle(found: Session, theirs: str | None, *, role: str, actor: Actor) -> bool:
    """Do what follows from the state of a session's other end; return whether anything changed. Idempotent.

    Args:
        found: this site's end, as it was read.
        theirs: status of the other end; None where the other site does not hold it.
        role: ALICE or BOB, which this site is.
        actor: the platform.
    """
    if found.status not in OPEN:
        return False
    if theirs is None and clock.is_recent(found.timestamp, seconds=HOLD_SECONDS):
        return False
    if theirs == SessionStatus.PENDING:
        return False
    if theirs == SessionStatus.READY:
        return _agree(found, role, actor)
    if found.status is not SessionStatus.READY:
        return False  # its own verdict comes first
    why = "the other site does not hold it" if theirs is None else f"at the other site it is {theirs}"
    transitions.revoke(found.session_id, reason=why, actor=actor)
    return True


def _agree(found: Session, role: str, actor: Actor) -> bool:
    if found.status is not SessionStatus.READY or found.site is not SiteState.HELD:
        return False
    mine = issuer_of(found.session_id) == role
    try:
        with transaction(actor) as tx:
            tx.update(
                SessionTable.of(found),
                [SessionTable.site.set(SiteState.AGREED)],
                condition=SessionTable.status == SessionStatus.READY,
            )
            if mine:
                blocks.add(tx, found)
            tx.audit(SessionEvent.AGREED, session_id=found.session_id, link=found.link, gives_out=mine)
    except Conflict:  # another process was faster, or it was revoked
        return False
    finals.forget(found.session_id)
    return True


def take_named(
    tx: Transaction, pieces: Sequence[str], *, link_id: str, role: str, lasting: int, subject: str
) -> None:
    """Take in a transaction pieces that the other site gives out: each once, as there (I3).

    Args:
        tx: in which that happens.
        pieces: ids of quantum keys.
        link_id: over which both sites have the sessions.
        role: ALICE or BOB, which this site is.
        lasting: time in seconds since 1970 until which the keys have to stay.
        subject: what for.

    Raises:
        SessionNotFound, SessionUnusable: this site does not hold one of them as ready, or gives it out itself.

    Raises (at commit):
        KeyTaken: one of them was taken before.
        SessionUnusable: a session was revoked just now.
    """
    numbered = [_split(piece) for piece in pieces]
    if len(set(numbered)) < len(numbered):
        raise SessionUnusable("A quantum key is named twice.")
    for session_id in sorted({session_id for session_id, _ in numbered}):
        found = SessionTable.find(session_id)
        if found is None or found.link != link_id or found.site is None:
            raise SessionNotFound(f"There is no session {session_id!r} over this link.")
        _check(found, role, [number for of, number in numbered if of == session_id], lasting)
        tx.require(SessionTable.of(found), otherwise=blocks.no_longer_ready(session_id))
    moment = clock.now()
    for session_id, number in numbered:
        key_id = f"{session_id}.{number}"
        row = QuantumKeyTable.of(
            QuantumKey(
                key_id=key_id,
                session_id=session_id,
                number=number,
                state=QuantumKeyState.USED,
                purpose=KeyPurpose.DELIVERY,
                subject=subject,
                taken_by=str(tx.actor),
                taken_at=moment,
            )
        )
        tx.put(row, otherwise=KeyTaken(f"Quantum key {key_id} is taken."))


def _split(piece: str) -> tuple[str, int]:
    session_id, _, number = piece.rpartition(".")
    if not session_id or not number.isdecimal() or str(int(number)) != number:
        raise SessionNotFound(f"There is no quantum key {piece!r}.")
    return session_id, int(number)


def _check(found: Session, role: str, numbers: Sequence[int], lasting: int) -> None:
    if not found.gives_keys:
        raise blocks.no_longer_ready(found.session_id)
    check_link(found)
    if issuer_of(found.session_id) == role:
        raise SessionUnusable(f"The keys of session {found.session_id} are given out by this site.")
    if any(number >= int(found.keys_total) for number in numbers):
        raise SessionUnusable(f"Session {found.session_id} has no such key.")
    if found.ttl is not None and int(found.ttl) <= lasting:
        raise SessionUnusable(f"Session {found.session_id} ends before the keys are collected.")
