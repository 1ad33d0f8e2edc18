"""What must be so that something can be encrypted: a quantum key that is ready; and when one is where none is."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from django.conf import settings

from apps.common import clock
from apps.common.health import Outlook
from apps.common.scheduling import Schedule, due
from apps.jobs import services as jobs
from apps.links import services as links
from apps.links.records import LinkNotFound
from apps.sessions import refilling, stock, store
from apps.sessions.records import StockEmpty

NONE = "No quantum key is ready."


def _quantum_keys() -> None:
    """Find a block with quantum keys left, over a link that no case holds back.

    Raises:
        StockEmpty: there is none.
    """
    apart = links.held_back()
    listed = store.stocked(store.STOCK, limit=stock.COUNTED_BLOCKS if apart else 1)
    if all(block.link in apart for block in listed):
        raise StockEmpty(NONE)


def _outlook() -> Outlook:
    """Look what brings keys: a session that is run or judged, a job, or the next schedule."""
    with suppress(LinkNotFound):  # whoever refills a new platform first makes it
        link = links.find(links.STOCK)
        if not link.is_active:
            return Outlook(f"{NONE} The stock's link is {link.state}, and no session is run over it.")
    return _under_way() or _scheduled()


def _under_way() -> Outlook | None:
    moment, lead = clock.now(), timedelta(seconds=settings.STOCK_LEAD_SECONDS)
    judged_within = timedelta(seconds=stock.FRESH_SECONDS)
    fresh = [one.timestamp for one in stock.waiting() if one.timestamp > moment - judged_within]
    if fresh:
        return Outlook(f"{NONE} A session waits for its verdict.", True, min(fresh) + judged_within)
    claimed = store.level(links.STOCK).claimed_until
    if claimed is not None and claimed > moment:
        return Outlook(f"{NONE} A session is being run.", True, claimed + judged_within)
    queued = jobs.listed_of(stock.REFILLER, limit=1).records
    if queued and not queued[0].state.ended and refilling.holds_back(queued[0]):
        return Outlook(f"{NONE} A refill is under way.", True, max(queued[0].created_at + lead, moment))
    return None


def _scheduled() -> Outlook:
    following = due(Schedule.REFILL, stock.REFILLED).at
    lead = timedelta(seconds=settings.STOCK_LEAD_SECONDS)
    ready = None if following is None else following + lead
    return Outlook(f"{NONE} The next refill runs a session, or who asks for a key.", expected_at=ready)


CHECKS: dict[str, Callable[[], None]] = {"quantum_keys": _quantum_keys}
OUTLOOKS: Mapping[str, Callable[[], Outlook]] = {"quantum_keys": _outlook}
