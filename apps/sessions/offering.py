"""Offers of quantum keys: whose keys somebody may draw from, and what becomes of an offer afterwards.

Nothing is written: an offered key is taken by ``committing``.
"""

from collections.abc import Container
from collections.abc import Set as AbstractSet
from dataclasses import replace

from django.conf import settings

from apps.audit.records import Actor
from apps.common.errors import PlatformError
from apps.links import services as links
from apps.sessions import blocks, drawing, finals, leases, quantum_keys, services, shares, store, usable
from apps.sessions.records import KeyBlock, Offer, SessionUnusable, StockEmpty

CANDIDATES = 32  # free blocks of which one is leased at random: of 16 processes at once, few choose the same


def offer(
    *,
    session_id: str | None = None,
    actor: Actor | None = None,
    owner: str | None = None,
    link: str | None = None,
    shared: bool = False,
    patient: bool = True,
) -> Offer:
    """Draw a quantum key to try to take: of the platform's stock, of an owner's sessions, or of the one named.

    Nothing is written. Its block is this thread's until ``settle`` is called.

    Args:
        session_id: the session to draw from.
        actor: who asks; needed where a session is named.
        owner: draw from any of the sessions of this owner.
        link: draw from sessions over this link alone.
        shared: the link's keys are shared with another site: draw from those that this site gives out.
        patient: wait for other threads of this process where they use what is left.

    Raises:
        StockEmpty: none of the platform's sessions has a key left, or other processes hold what the named one has.
        SessionNotFound: the named session is not one that the actor may see.
        SessionUnusable: the named session serves its owner alone, is not ready, or has no key left; or none of the
            owner's has.
        LinkUnusable: the named session's link is quarantined.
    """
    if actor is not None and session_id is not None:
        return _of_session(session_id, actor)
    name = store.STOCK if owner is None else store.stock_of(owner)
    if shared and link is not None:
        name = store.stock_over(link)
    if owner is None and actor is not None and shares.known().refuses(str(actor)):
        raise StockEmpty(
            "The last quantum keys are kept for others, as you took most of those given out within a minute. "
            "Sessions are being run; try again in a few seconds."
        )

    apart = links.held_back()

    def free(passed: Container[str], tried: AbstractSet[str]) -> list[str]:
        held = leases.known()
        listed = store.free_blocks(
            name, limit=CANDIDATES, but=passed, held=held.ids() | tried, link=link, apart=apart
        )
        if owner is None and link is None:
            all_of_them = len(listed) < CANDIDATES
            left = held.left(mine) + sum(block.left for block in listed)
            shares.known().saw(left if all_of_them else None)
        return [block.block_id for block in listed]

    def mine(block: KeyBlock) -> bool:
        return block.stock == name and link in {None, block.link} and block.link not in apart

    drawn = drawing.draw(mine, free, patient=patient)
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
            f"Only a ready session gives quantum keys; session {session_id} is {usable.what(found)}. "
            "Name another, or none to use the stock."
        )
    if found.site is not None:
        raise SessionUnusable(
            f"The keys of session {session_id} are shared with another site: applications are given them, and nothing "
            "is encrypted under them. Name another, or none to use the stock."
        )
    usable.check_link(found)
    left: list[KeyBlock] = []

    def free(passed: Container[str], tried: AbstractSet[str]) -> list[str]:
        left[:] = [block for block in blocks.of_session(found) if block.is_open]
        taken = leases.known().ids() | tried
        free_now = [block.block_id for block in left if store.is_free(block) and block.block_id not in taken]
        return [] if session_id in passed else free_now

    damage: list[PlatformError] = []
    drawn = drawing.draw(lambda block: block.session_id == session_id, free, damage)
    if drawn is not None:
        return drawn
    if damage:
        raise damage[0]
    if left:
        raise StockEmpty(
            f"The last keys of session {session_id} are kept for other requests. Try again in a minute."
        )
    raise SessionUnusable(
        f"Session {session_id} has no unused {settings.QUANTUM_KEY_BITS}-bit key. "
        "Name another, or none to use the stock."
    )


def widened(offered: Offer, count: int) -> Offer:
    """The offer with the pieces behind it in its block, ``count`` altogether or as many as there are."""
    first = int(offered.number)
    wanted = range(first + 1, min(first + count, int(offered.block.end)))
    final = finals.opened(offered.session_id).key
    return replace(
        offered, more=tuple(quantum_keys.cut(final, offered.session_id, number) for number in wanted)
    )


def settle(offered: Offer, *, taken: bool) -> None:
    """Say that an offer was taken, for certain, or may not have been: only then another thread gets its block."""
    if taken and offered.keeps:
        finals.forget(offered.session_id)  # what is in memory still has a time to live
    leases.known().settle(offered.block, offered.lease, until=offered.until, taken=taken, count=offered.count)


def put_back(offered: Offer) -> None:
    """Say that nobody tried to take an offer: another thread gets its block, as it is known."""
    leases.known().put_back(offered.block, offered.lease)
