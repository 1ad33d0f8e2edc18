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
from apps.common.dynamodb import Page, Position
from apps.common.sweeps import each
from apps.sessions import finals, services, store
from apps.sessions.records import (
    KeyPurpose,
    Offer,
    QuantumKey,
    QuantumKeyState,
    SessionNotFound,
    SessionStatus,
    SessionUnusable,
    StockEmpty,
)
from apps.sessions.store import QuantumKeyTable, SessionTable
from apps.sessions.trail import QuantumKeyEvent

KEY_BYTES = settings.QUANTUM_KEY_BITS // 8
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


def offer(*, session_id: str | None = None, actor: Actor | None = None) -> Offer:
    """Draw a quantum key to try to take: of any ready session, or of the one named.

    Raises:
        StockEmpty: no session has a key left.
        SessionNotFound, SessionUnusable: the named session is not the actor's, not ready, or has no key left.
    """
    if session_id is not None and actor is not None:
        found = services.find(session_id, actor=actor)
        if found.status is not SessionStatus.READY:
            raise SessionUnusable(
                f"Only a ready session gives quantum keys; session {session_id} is {found.status}. "
                "Name another, or none to use the stock."
            )
        drawn = _draw(session_id, found.keys_taken, found.keys_total)
        if drawn is None:
            raise SessionUnusable(
                f"Session {session_id} has no unused {settings.QUANTUM_KEY_BITS}-bit key. "
                "Name another, or none to use the stock."
            )
        return drawn
    candidates = store.stocked(CANDIDATES)
    random.shuffle(candidates)
    for candidate in candidates:
        try:
            drawn = _draw(candidate.session_id, candidate.keys_taken, candidate.keys_total)
        except (SessionNotFound, SessionUnusable) as error:  # one damaged record must not stop everyone
            log.warning("session %s is passed over: %s", candidate.session_id, error.detail)
            continue
        if drawn is not None:
            return drawn
    raise StockEmpty("No quantum key is ready. Sessions are being run; try again in a few seconds.")


def _draw(session_id: str, taken: int, total: int) -> Offer | None:
    number = _numbers.draw(session_id, taken, total)
    if number is None:
        return None
    return Offer(
        session_id, number, last=number == total - 1, first=taken == 0, key=key_bytes(session_id, number)
    )


def key_bytes(session_id: str, number: int) -> bytes:
    """Cut the ``number``-th quantum key from a session's final key, which is unwrapped and checked (C3).

    Raises:
        SessionNotFound: the session is gone.
        SessionUnusable: it has no such key, or what is stored is not its key.
    """
    final = finals.key_of(session_id)
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
) -> None:
    """Take the offered key in a transaction: exactly one taker succeeds (I3).

    The session's time to live ends with its first taken key (I5): what needs it has no expiry.

    Raises (at commit):
        KeyTaken: someone else was faster; ask for another offer.
    """
    taken = QuantumKey(
        key_id=offered.key_id,
        session_id=offered.session_id,
        number=offered.number,
        state=state,
        purpose=purpose,
        subject=subject,
        taken_by=str(tx.actor),
        taken_at=clock.now(),
    )
    tx.put(QuantumKeyTable.of(taken), otherwise=KeyTaken(f"Quantum key {offered.key_id} is taken."))
    if offered.first:  # whoever commits the first take saw none taken: the index is late, never early
        finals.keep_for_good(tx, offered.session_id)
    actions: list[Action] = [SessionTable.keys_taken.add(1), SessionTable.ttl.remove()]
    if offered.last:  # smaller numbers that failures left are not looked for: each taker would pay for that
        actions.append(SessionTable.stock_feed.remove())
    tx.update(
        SessionTable(session_id=offered.session_id),
        actions,
        condition=SessionTable.status == SessionStatus.READY,
        otherwise=SessionUnusable(f"Session {offered.session_id} is no longer ready."),
    )


class KeyTaken(Exception):
    """Two asked for the same quantum key; this one was second. Nothing was changed."""


def use_reserved(tx: Transaction, key_id: str) -> None:
    """Use a reserved key, in the transaction of the record that needs it.

    Raises (at commit):
        SessionUnusable: the reservation has ended, or the session was revoked meanwhile.
    """
    session_id = key_id.rpartition(".")[0]
    # Between reservation and commit lies a whole upload, in which the session may have been revoked
    tx.require(
        SessionTable(session_id=session_id),
        condition=SessionTable.status == SessionStatus.READY,
        otherwise=SessionUnusable(f"Session {session_id} is no longer ready."),
    )
    tx.update(
        QuantumKeyTable(key_id=key_id),
        [QuantumKeyTable.state.set(QuantumKeyState.USED), QuantumKeyTable.reserved_feed.remove()],
        condition=QuantumKeyTable.state == QuantumKeyState.RESERVED,
        otherwise=SessionUnusable(f"The reservation of quantum key {key_id} has ended."),
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
