"""How everybody who needs a quantum key takes one: an offer, an attempt, and another offer where that was lost."""

from collections.abc import Callable
from typing import TypeVar

from apps.audit.records import Actor
from apps.keys.records import KeyUnusable
from apps.sessions import quantum_keys, stock
from apps.sessions.quantum_keys import KeyTaken
from apps.sessions.records import Offer, SessionUnusable, StockEmpty

T = TypeVar("T")
ATTEMPTS = 16  # offers are spread over ten sessions, so that even a second attempt is rare

# What may have happened between offer and commit: the key was taken, its session was revoked, or the pool key that
# was picked in between was rotated. Another offer is worth a try; a named session that is not ready is refused then.
_LOST = (KeyTaken, SessionUnusable, KeyUnusable)


def take_key(attempt: Callable[[Offer], T], *, actor: Actor, session_id: str | None = None) -> T:
    """Have ``attempt`` take an offered quantum key, and return what it returns.

    Args:
        attempt: seals with the offered key and commits one transaction with ``quantum_keys.take`` in it. It is
            called again with another offer where that was lost, so it does nothing outside its transaction.
        actor: who asks.
        session_id: take a key of this session instead of the stock.

    Raises:
        StockEmpty: no key is ready, and a session was run; or all attempts were lost. Ask again.
        SessionNotFound, SessionUnusable: the named session is not the actor's, not ready, or has no key left.
        whatever else ``attempt`` raises.
    """
    for _ in range(ATTEMPTS):
        try:
            offered = quantum_keys.offer(session_id=session_id, actor=actor)
        except StockEmpty:
            stock.refill(actor=actor)
            raise
        try:
            return attempt(offered)
        except _LOST:
            continue
    raise StockEmpty("Too many requests took quantum keys at once. Try again in a moment.")
