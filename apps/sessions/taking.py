"""How everybody who needs a quantum key takes one: an offer, an attempt, and another offer where that was lost."""

import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from apps.audit.records import Actor
from apps.common.errors import Invalid, Unavailable
from apps.keys.records import KeyUnusable
from apps.sessions import committing, finals, leases, offering, refilling, shares
from apps.sessions import stock as supply
from apps.sessions.committing import KeyTaken
from apps.sessions.records import Offer, SessionUnusable, StockEmpty

T = TypeVar("T")
ATTEMPTS = 16  # a block is leased by one process, so that even a second attempt is rare

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
        attempt: seals with the offered key and commits one transaction with ``committing.take`` in it. It is
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
            offered = offering.offer(session_id=session_id, actor=actor, owner=owner)
        except StockEmpty:
            supply.refill()
            raise
        taken = False
        try:
            made = attempt(offered)
        except SessionUnusable:  # its rows changed since they were read: what is in memory is no longer true
            finals.forget(offered.session_id)
        except _LOST:
            continue
        else:
            taken = True
            if owner is None and session_id is None:
                shares.known().gave(str(actor))
            return made
        finally:
            offering.settle(offered, taken=taken)
            if offered.until is not None:  # a lease began: once in many takes
                refilling.watch()
    raise StockEmpty("Too many requests took quantum keys at once. Try again in a moment.")


def take_keys(
    attempt: Callable[[Sequence[Offer]], T],
    *,
    count: int,
    actor: Actor,
    link: str | None = None,
    shared: bool = False,
    room: int,
) -> T:
    """Have ``attempt`` take several quantum keys of the platform's stock together, and return what it returns.

    Args:
        attempt: commits one transaction with ``committing.take_together`` in it; called again with other offers where
            one of them was lost.
        count: pieces that are taken, altogether.
        actor: who asks.
        link: of whose sessions alone they come.
        shared: they are shared with another site over that link.
        room: rows that the transaction has for them.

    Raises:
        StockEmpty: fewer are ready, and a session was run; or all attempts were lost. Ask again.
        Unavailable: those that are ready lie in too many blocks.
        whatever else ``attempt`` raises.
    """
    for number in range(ATTEMPTS):
        try:
            offers = _gathered(count, actor=actor, link=link, shared=shared, room=room)
        except _Contended:
            time.sleep(random.uniform(0, 0.01 * 2 ** min(number, 6)))  # noqa: S311 - spreads retries, no secret
            continue
        except StockEmpty:
            if not shared:
                supply.refill()
            raise
        try:
            made = _attempted(attempt, offers)
        except SessionUnusable:
            for one in offers:
                finals.forget(one.session_id)
        except _LOST:
            continue
        else:
            for _ in range(count if link is None else 0):
                shares.known().gave(str(actor))
            return made
    raise StockEmpty("Too many requests took quantum keys at once. Try again in a moment.")


class _Contended(Exception):
    """Other threads of this process use what is left, and may put it back."""


def _attempted(attempt: Callable[[Sequence[Offer]], T], offers: Sequence[Offer]) -> T:
    taken = False
    try:
        made = attempt(offers)
        taken = True
        return made
    finally:
        for one in offers:
            offering.settle(one, taken=taken)
        if any(one.until is not None for one in offers):
            refilling.watch()


def _gathered(count: int, *, actor: Actor, link: str | None, shared: bool, room: int) -> list[Offer]:
    """Offers of so many pieces, none of which another thread gets meanwhile.

    Raises:
        StockEmpty: fewer are ready; or they lie in so many blocks that no transaction takes them together.
        _Contended: other threads hold what is missing.
    """
    offers: list[Offer] = []
    try:
        while (missing := count - sum(one.count for one in offers)) > 0:
            # Who holds blocks waits for none: two threads that did would wait for one another
            offers.append(offering.offer(actor=actor, link=link, shared=shared, patient=not offers))
            offers[-1] = offering.widened(offers[-1], missing)
            _check_room(offers, room)
    except BaseException as error:
        contended = leases.known().are_used_but({one.block.block_id for one in offers})
        for one in offers:
            offering.put_back(one)
        if offers and contended and isinstance(error, StockEmpty):
            raise _Contended from None
        raise
    return offers


def _check_room(offers: Sequence[Offer], room: int) -> None:
    if committing.operations_of(offers) > room:
        raise Unavailable("The keys that are ready lie apart. Ask for fewer at once.")
