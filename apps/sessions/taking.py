"""How everybody who needs a quantum key takes one: an offer, an attempt, and another offer where that was lost."""

from collections.abc import Callable
from typing import TypeVar

from apps.audit.records import Actor
from apps.common.errors import Invalid
from apps.keys.records import KeyUnusable
from apps.sessions import finals, quantum_keys
from apps.sessions import stock as supply
from apps.sessions.quantum_keys import KeyTaken
from apps.sessions.records import Offer, SessionUnusable, StockEmpty

T = TypeVar("T")
ATTEMPTS = 16  # offers are spread over ten sessions, so that even a second attempt is rare

# What may have happened between offer and commit: the key was taken, its session was revoked, or the pool key that
# was picked in between was rotated. Another offer is worth a try; a named session that is not ready is refused then.
_LOST = (KeyTaken, SessionUnusable, KeyUnusable)


def take_key(
    attempt: Callable[[Offer], T],
    *,
    actor: Actor,
    session_id: str | None = None,
    owner: str | None = None,
) -> T:
    """Have ``attempt`` take an offered quantum key, and return what it returns.

    Args:
        attempt: seals with the offered key and commits one transaction with ``quantum_keys.take`` in it. It is
            called again with another offer where that was lost, so it does nothing outside its transaction.
        actor: who asks.
        session_id: take a key of this session instead of a stock.
        owner: take a key of any of this principal's own sessions; of the platform's unless told.

    Raises:
        StockEmpty: no key is ready, and a session was run; or all attempts were lost. Ask again.
        SessionNotFound, SessionUnusable: the named session is not the actor's, not ready, or has no key left; or none
            of the owner's has.
        Invalid: both a session and a stock are named.
        whatever else ``attempt`` raises.
    """
    if owner is not None and session_id is not None:
        raise Invalid.of("stock", "Give either session_id or stock, not both.")
    for _ in range(ATTEMPTS):
        try:
            offered = quantum_keys.offer(session_id=session_id, actor=actor, owner=owner)
        except StockEmpty:
            supply.refill()
            raise
        try:
            return attempt(offered)
        except SessionUnusable:  # its rows changed since they were read: what is in memory is no longer true
            finals.forget(offered.session_id)
        except _LOST:
            continue
    raise StockEmpty("Too many requests took quantum keys at once. Try again in a moment.")
