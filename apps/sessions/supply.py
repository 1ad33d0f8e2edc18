"""Links over which the platform keeps quantum keys ready beside its own stock: as many as the link says, more by demand."""

import logging

from django.conf import settings

from apps.audit.records import Actor, system
from apps.common import clock
from apps.common.errors import PlatformError
from apps.jobs import services as jobs
from apps.links import services as links
from apps.links import times
from apps.links.records import Link, LinkSource
from apps.sessions import demand, refilling, stock, store
from apps.sessions.demand import Marks
from apps.sessions.services import ALL, GenerateRequest

SESSION_BITS = 65_536  # 256 quantum keys: links that say so themselves hold fewer than the stock
log = logging.getLogger(__name__)


def supplier_of(link_id: str) -> Actor:
    """Who runs the sessions over a link for the platform: a refill of one holds back no other's."""
    return system(f"supplier {link_id}")


def supply_all() -> int:
    """Queue a refill for each link whose keys run low; return how many sessions these will run.

    A link that cannot be supplied is logged, and keeps no other from its keys.
    """
    return sum(_supplied(link) for link in links.supplied() if link.source is LinkSource.SIMULATOR)


def _supplied(link: Link) -> int:
    try:
        return supply(link)
    except PlatformError as error:
        log.warning("link %s is not supplied: %s", link.link_id, error.detail)
        return 0


def supply(link: Link) -> int:
    """Queue a refill where the keys over a link are fewer than its low-water mark; return how many sessions it runs."""
    supplier = supplier_of(link.link_id)
    level = store.level(link.link_id)
    recent = store.sessions_page(limit=stock.RECENT_SESSIONS, link=link.link_id).records
    ready, pending = stock.ready_over(link.link_id), stock.pending(recent)
    rate = stock.measure_rate(level, ready=ready, recent=recent, actor=supplier)
    marks = demand.marks(rate, least=Marks(int(link.low_water or 0), int(link.target or 0)))
    before = jobs.listed_of(supplier, limit=1).records
    least = times.threshold(
        link.schedule, clock.now(), low_water=marks.low_water, target=max(marks.target, marks.low_water)
    )
    if ready + pending >= least or any(refilling.holds_back(job) for job in before):
        return 0
    keys_each = SESSION_BITS // settings.QUANTUM_KEY_BITS
    wanted = min(-(-(marks.target - ready - pending) // keys_each), stock.MAX_REFILL_SESSIONS)
    request = GenerateRequest(key_length=ALL, at_least=SESSION_BITS, link=link.link_id)
    return refilling.queue(request, sessions=wanted, after=before, actor=supplier)
