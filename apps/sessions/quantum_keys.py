"""Quantum keys: pieces of ready sessions' final keys, each taken once (I3).

A quantum key has no row until it is taken (decision 2).
"""

import logging
import random
import threading
from collections import OrderedDict
from collections.abc import Iterable

from django.conf import settings
from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import Page, Position
from apps.common.sweeps import each
from apps.sessions import finals, services, store
from apps.sessions.records import (
    KEY_BYTES,
    KeyPurpose,
    Offer,
    QuantumKey,
    QuantumKeyState,
    Session,
    SessionNotFound,
    SessionStatus,
    SessionUnusable,
    StockedSession,
    StockEmpty,
)
from apps.sessions.store import QuantumKeyTable, SessionTable
from apps.sessions.trail import QuantumKeyEvent

CANDIDATES = 10  # sessions offered from at random, so that concurrent takers seldom meet
RESERVED_SECONDS = 3600  # longer than any upload's encryption
REMEMBERED = 1024  # sessions; of one forgotten, numbers are drawn from its count of taken keys on
log = logging.getLogger(__name__)


def keys_of(session_id: str, *, limit: int, position: Position | None = None) -> Page[QuantumKey]:
    """The keys taken from a session, newest first: after a revocation, what was encrypted with them."""
    return store.taken_page(session_id, limit=limit, position=position)


class _Numbers:
    """Deals out the key numbers of sessions, so that threads of one process never collide."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.next: OrderedDict[str, int] = OrderedDict()

    def draw(self, session_id: str, at_least: int, total: int) -> int | None:
        with self.lock:
            number = max(at_least, self.next.pop(session_id, 0))
            if number >= total:  # numbers whose transaction failed are drawn again, from ``at_least`` on
                return None
            self.next[session_id] = number + 1
            if len(self.next) > REMEMBERED:
                self.next.popitem(last=False)
        return number


_numbers = _Numbers()


def offer(*, session_id: str | None = None, actor: Actor | None = None, owner: str | None = None) -> Offer:
    """Draw a quantum key to try to take: of the platform's stock, of an owner's sessions, or of the one named.

    Args:
        session_id: the session to draw from.
        actor: who asks; needed where a session is named.
        owner: draw from any of the sessions of this owner.

    Raises:
        StockEmpty: none of the platform's sessions has a key left.
        SessionNotFound: the named session is not one that the actor may see.
        SessionUnusable: the named session serves its owner alone, is not ready, or has no key left; or none of the
            owner's has.
    """
    if actor is not None and session_id is not None:
        return _of_session(session_id, actor)
    candidates = store.stocked(CANDIDATES, owner=owner)
    random.shuffle(candidates)
    for candidate in candidates:
        try:
            drawn = _of_stock(candidate, owner)
        except (
            SessionNotFound,
            SessionUnusable,
            RecordForged,
        ) as error:  # one damaged record must not stop everyone
            log.warning("session %s is passed over: %s", candidate.session_id, error.detail)
            continue
        if drawn is not None:
            return drawn
    if owner is not None:
        raise SessionUnusable(
            f"None of your sessions has an unused {settings.QUANTUM_KEY_BITS}-bit key. "
            "Run one, or leave out stock to use the platform's."
        )
    raise StockEmpty("No quantum key is ready. Sessions are being run; try again in a few seconds.")


def _of_session(session_id: str, actor: Actor) -> Offer:
    found = services.find(session_id, actor=actor)
    # Who runs a session may know its key: it is nobody else's, however much they may see
    if not (found.is_platforms or found.owner == str(actor) or found.owner in actor.groups):
        raise SessionUnusable(
            f"The keys of session {session_id} serve its owner alone. Name another, or none to use the stock."
        )
    if not found.gives_keys:
        raise SessionUnusable(
            f"Only a ready session gives quantum keys; session {session_id} is {_what(found)}. "
            "Name another, or none to use the stock."
        )
    number = _numbers.draw(session_id, found.keys_taken, found.keys_total)
    if number is None:
        raise SessionUnusable(
            f"Session {session_id} has no unused {settings.QUANTUM_KEY_BITS}-bit key. "
            "Name another, or none to use the stock."
        )
    return _offer(found, number, first=found.keys_taken == 0)


def _what(found: Session) -> str:
    return found.status if found.secret else "a study"


def _of_stock(candidate: StockedSession, owner: str | None) -> Offer | None:
    number = _numbers.draw(candidate.session_id, candidate.keys_taken, candidate.keys_total)
    if number is None:
        return None
    found = finals.opened(candidate.session_id).session
    # The index is not authenticated, the record is: what was moved into another's stock is not given to them
    fits = found.is_platforms if owner is None else found.owner == owner
    if not fits or not found.gives_keys:
        raise SessionUnusable(
            f"Session {found.session_id} is {_what(found)}, of {found.owner}: not of this stock."
        )
    return _offer(found, number, first=candidate.keys_taken == 0)


def _offer(session: Session, number: int, *, first: bool) -> Offer:
    opened = finals.opened(session.session_id)
    return Offer(
        session.session_id,
        number,
        last=number == session.keys_total - 1,
        first=first,
        session_tag=session.tag,
        final_tag=opened.final_tag,
        key=_cut(opened.key, session.session_id, number),
    )


def key_bytes(session_id: str, number: int) -> bytes:
    """Cut the ``number``-th quantum key from a session's final key, which is unwrapped and checked (C3).

    Raises:
        SessionNotFound: the session is gone.
        SessionUnusable: it has no such key, or what is stored is not its key.
    """
    return _cut(finals.opened(session_id).key, session_id, number)


def _cut(final: bytes, session_id: str, number: int) -> bytes:
    if not 0 <= number < len(final) // KEY_BYTES:
        raise SessionUnusable(f"Session {session_id} has no key number {number}.")
    return final[number * KEY_BYTES : (number + 1) * KEY_BYTES]


def take(
    tx: Transaction,
    offered: Offer,
    *,
    purpose: KeyPurpose,
    subject: str,
    state: QuantumKeyState = QuantumKeyState.USED,
    sealed_by: str | None = None,
) -> QuantumKey:
    """Take the offered key in a transaction: exactly one taker succeeds (I3).

    The session's time to live ends with its first taken key (I5): what needs it has no expiry.

    Args:
        tx: in which that happens.
        offered: what is taken.
        purpose: what for.
        subject: the message, or the file.
        state: used, or reserved for a commit to come.
        sealed_by: of a message, and of nothing else, the pool key that its package is sealed to.

    Returns:
        the key as it is once that is committed.

    Raises:
        ValueError: a message without its pool key, which would be forgotten when that key's end is decided.

    Raises (at commit):
        KeyTaken: someone else was faster; ask for another offer.
        SessionUnusable: the session is no longer as it was read.
    """
    if (purpose is KeyPurpose.MESSAGE) is (sealed_by is None):
        raise ValueError("A message, and nothing else, names the pool key that it is sealed to.")
    taken = QuantumKeyTable.of(
        QuantumKey(
            key_id=offered.key_id,
            session_id=offered.session_id,
            number=offered.number,
            state=state,
            purpose=purpose,
            subject=subject,
            taken_by=str(tx.actor),
            taken_at=clock.now(),
            sealed_by=sealed_by,
        )
    )
    tx.put(taken, otherwise=KeyTaken(f"Quantum key {offered.key_id} is taken."))
    if offered.first:  # whoever commits the first take saw none taken: the index is late, never early
        finals.keep_for_good(tx, offered.session_id, tag=offered.final_tag)
    actions: list[Action] = [SessionTable.keys_taken.add(1), SessionTable.ttl.remove()]
    if offered.last:  # smaller numbers that failures left are not looked for: each taker would pay for that
        actions += [SessionTable.used_up.set(True), SessionTable.stock_feed.remove()]
    tx.update(
        SessionTable(session_id=offered.session_id, tag=offered.session_tag),
        actions,
        condition=SessionTable.status == SessionStatus.READY,
        otherwise=_no_longer_ready(offered.session_id),
    )
    return taken.record()


def _no_longer_ready(session_id: str) -> SessionUnusable:
    return SessionUnusable(f"Session {session_id} is no longer ready.")


class KeyTaken(Exception):
    """Two asked for the same quantum key; this one was second. Nothing was changed."""


def use_reserved(tx: Transaction, offered: Offer, reserved: QuantumKey) -> None:
    """Use a reserved key, in the transaction of the record that needs it.

    Args:
        tx: in which that happens.
        offered: what was reserved.
        reserved: as ``take`` returned it.

    Raises (at commit):
        SessionUnusable: the reservation has ended, or the session was revoked meanwhile.
    """
    # Between reservation and commit lies a whole upload, in which the session may have been revoked
    tx.require(
        SessionTable(session_id=offered.session_id, tag=offered.session_tag),
        condition=SessionTable.status == SessionStatus.READY,
        otherwise=_no_longer_ready(offered.session_id),
    )
    tx.update(
        QuantumKeyTable.of(reserved),
        [QuantumKeyTable.state.set(QuantumKeyState.USED), QuantumKeyTable.reserved_feed.remove()],
        condition=QuantumKeyTable.state == QuantumKeyState.RESERVED,
        otherwise=SessionUnusable(f"The reservation of quantum key {reserved.key_id} has ended."),
    )


def taken_key(key_id: str) -> bytes:
    """Open the key behind an id that a package carries, however long ago it was taken.

    Raises:
        SessionNotFound, SessionUnusable: the id names nothing, or the session is gone or compromised.
    """
    session_id, dot, number = key_id.rpartition(".")
    if not dot or not number.isdecimal():
        raise SessionNotFound(f"There is no quantum key {key_id!r}.")
    return key_bytes(session_id, int(number))


def stale_reservations() -> list[QuantumKey]:
    """Reservations older than any upload, whose holder never came back."""
    return list(store.reserved_before(clock.ago(RESERVED_SECONDS)))


def discard(reserved: Iterable[QuantumKey], *, actor: Actor) -> int:
    """End reservations: their keys are never used. Returns how many."""

    def end(key: QuantumKey) -> None:
        with transaction(actor) as tx:
            tx.update(
                QuantumKeyTable.of(key),
                [
                    QuantumKeyTable.state.set(QuantumKeyState.DISCARDED),
                    QuantumKeyTable.reserved_feed.remove(),
                ],
                condition=QuantumKeyTable.state == QuantumKeyState.RESERVED,
            )
            tx.audit(QuantumKeyEvent.DISCARDED, session_id=key.session_id, quantum_key_id=key.key_id)

    return each(reserved, end)


def find_taken(key_id: str) -> QuantumKey | None:
    """A quantum key that was taken, or None where nobody took it."""
    return QuantumKeyTable.find(key_id)


def messages_sealed_by(pool_key_id: str, *, limit: int, position: Position | None = None) -> Page[QuantumKey]:
    """The quantum keys of the messages that need a pool key, newest first; ``subject`` is the message."""
    return store.sealed_page(pool_key_id, limit=limit, position=position)


def count_messages_sealed_by(pool_key_id: str) -> int:
    """How many messages need a pool key: their packages are kept elsewhere, and nobody can re-wrap them."""
    return store.sealed_count(pool_key_id)
