"""The platform's stock of quantum keys, filled by its own sessions alone: counted by link, watched, refilled."""

import logging
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from django.conf import settings

from apps.audit.records import Actor, system
from apps.audit.services import Conflict, record, transaction
from apps.common import clock
from apps.links import services as links
from apps.links.records import LinkUnusable
from apps.sessions import demand, services, store
from apps.sessions.records import Session, SessionStatus, StockLevel
from apps.sessions.services import GenerateRequest
from apps.sessions.store import StockLevelTable
from apps.sessions.trail import StockEvent

log = logging.getLogger(__name__)
REFILLER = system("refiller")  # whose sessions they are, whoever found the stock empty
SESSION_BITS = 262_144  # 1,024 quantum keys: what a session costs beside its bits is shared by all of them
QUICK_BITS = 65_536  # of a session that is run while somebody waits: 0.3 s on a slow core
FRESH_SECONDS = 120  # a session is judged within that, usually much sooner
COUNTED_BLOCKS = 4000  # of each shard: 64,000 keys of stock sessions
RECENT_SESSIONS = 50  # looked at: more than that wait only where the detector stands still
KEYS_PER_SESSION = SESSION_BITS // settings.QUANTUM_KEY_BITS
MAX_REFILL_SESSIONS = 100  # of one job; the next one decides whether more are needed
REFILLED = "quantum keys to come"  # the refill's part that runs a session
CLAIM_SECONDS = 15  # that nobody else runs a session for an empty stock
_running = threading.Lock()


@dataclass(frozen=True, slots=True)
class Stock:
    """Quantum keys ready to be taken."""

    total: int
    pending: int
    by_link: dict[str, int]
    low_water: int
    target: int
    per_second: float = 0.0  # taken, as last measured
    own: int = 0  # ready in sessions of whoever asks, which serve nobody else

    @property
    def is_low(self) -> bool:
        """Return whether the keys, those of sessions not judged yet included, are fewer than the low-water mark."""
        return self.total + self.pending < self.low_water

    @property
    def is_alarming(self) -> bool:
        """Return whether they are fewer than the stock has to have whatever the demand."""
        return self.total + self.pending < settings.STOCK_LOW_WATER


def stock(waiting: list[Session] | None = None) -> Stock:
    """Count the stock: one Query for each shard, one for sessions that wait for their verdict, one for the demand.

    Of a block that a process holds, the keys count that it had when its lease began.

    Args:
        waiting: all sessions that wait for their verdict, where the caller knows them.
    """
    recent = _recent() if waiting is None else [one for one in waiting if one.link == links.STOCK]
    return _counted(store.level(links.STOCK), recent)


def _counted(level: StockLevel, recent: list[Session]) -> Stock:
    by_link: Counter[str] = Counter()
    apart = links.held_back()
    for block in store.stocked(store.STOCK, limit=COUNTED_BLOCKS):
        if block.link not in apart:
            by_link[block.link] += block.left
    marks = demand.marks(float(level.per_second))
    return Stock(
        total=by_link.total(),
        pending=pending(recent),
        by_link=dict(by_link),
        low_water=marks.low_water,
        target=marks.target,
        per_second=float(level.per_second),
    )


def measured(*, actor: Actor) -> Stock:
    """Count the stock, and measure how fast its keys are taken since the last time that this was done."""
    before, recent = store.level(links.STOCK), _recent()
    found = _counted(before, recent)
    rate = measure_rate(before, ready=found.total, recent=recent, actor=actor)
    marks = demand.marks(rate)
    return replace(found, per_second=rate, low_water=marks.low_water, target=marks.target)


def measure_rate(before: StockLevel, *, ready: int, recent: list[Session], actor: Actor) -> float:
    """Measure how fast keys were taken over a link since the last time that this was done, and remember it."""
    moment = clock.now()
    made = sum(int(one.keys_total) for one in recent if _is_new(one, before))
    rate = demand.measure(before, ready=ready, made=made, moment=moment)
    table = StockLevelTable
    same = (
        table.measured_at == before.measured_at if before.measured_at else table.measured_at.does_not_exist()
    )
    with suppress(Conflict), transaction(actor) as tx:  # another process measured it just now
        tx.update(
            table(link=before.link),
            [table.measured_at.set(moment), table.ready.set(ready), table.per_second.set(round(rate, 3))],
            condition=same,
        )
        tx.audit(StockEvent.MEASURED, link=before.link, ready=ready, per_second=round(rate, 3))
    return rate


def ready_over(link: str | None) -> int:
    """Quantum keys of the platform's stock that are ready over one link; None for all links that none holds back."""
    listed = store.stocked(store.STOCK, limit=COUNTED_BLOCKS)
    apart = links.held_back() if link is None else frozenset()
    return sum(block.left for block in listed if link in {None, block.link} and block.link not in apart)


def shared_over(link: str) -> int:
    """Quantum keys that this site may give out of those that it shares with another one over a link."""
    return sum(block.left for block in store.stocked(store.stock_over(link), limit=COUNTED_BLOCKS))


def pending_over(link: str) -> int:
    """Quantum keys of the platform's latest sessions over a link that wait for their verdict."""
    return pending(store.sessions_page(limit=RECENT_SESSIONS, link=link).records)


def _is_new(session: Session, before: StockLevel) -> bool:
    if not session.is_platforms or session.status is not SessionStatus.READY or session.judged_at is None:
        return False
    return before.measured_at is None or session.judged_at > before.measured_at


def sessions_wanted(found: Stock) -> int:
    """Sessions that bring a low stock to its target; none while it is not low."""
    if not found.is_low:
        return 0
    missing = max(found.target, found.low_water) - found.total - found.pending
    return min(-(-missing // KEYS_PER_SESSION), MAX_REFILL_SESSIONS)


def refill_request(bits: int = SESSION_BITS) -> GenerateRequest:
    """The request for a session of the stock: so many bits, and what its photons give beyond them."""
    return GenerateRequest(key_length=services.ALL, at_least=bits, link=links.STOCK)


def stock_for(actor: Actor) -> Stock:
    """Count the stock, and beside it the quantum keys ready in the actor's own sessions."""
    own = store.stocked(store.stock_of(str(actor)), limit=COUNTED_BLOCKS)
    return replace(stock(), own=sum(block.left for block in own))


def raise_alarm(found: Stock, *, actor: Actor) -> None:
    """Say that the stock is low: in the trail, from which the alert is raised, and in the log."""
    record(actor, StockEvent.LOW, total=found.total, low_water=found.low_water, by_link=found.by_link)
    log.warning("%d quantum keys are left; the low-water mark is %d", found.total, found.low_water)


def refill() -> int:
    """Run one session, as the platform, if the stock is below its low-water mark and none waits for its verdict.

    One at a time over the link, whatever the number of threads and processes that find it empty; the others return at
    once.

    Returns the quantum keys to come: they are ready once the session is judged.
    """
    if not _running.acquire(blocking=False):
        return 0
    try:
        found = stock()
        if found.total >= found.low_water or found.pending:
            return 0
        if not links.ensure_built_in(links.STOCK).is_active or not _claim():
            return 0
        return services.generate(refill_request(QUICK_BITS), actor=REFILLER).keys_total
    except LinkUnusable as error:  # an operator or a case wants no session over it, however empty the stock
        log.warning("the stock is not refilled: %s", error.detail)
        return 0
    finally:
        _running.release()


def _claim() -> bool:
    """Return whether no other process runs a session for the empty stock; none does for CLAIM_SECONDS then."""
    moment, claimed = clock.now(), StockLevelTable.claimed_until
    try:
        with transaction(REFILLER) as tx:
            tx.update(
                StockLevelTable(link=links.STOCK),
                [claimed.set(moment + timedelta(seconds=CLAIM_SECONDS))],
                condition=claimed.does_not_exist() | (claimed < moment),
            )
            tx.audit(StockEvent.CLAIMED, link=links.STOCK)
    except Conflict:
        return False
    return True


def _recent() -> list[Session]:
    """The latest sessions over the stock's link: clients run none over it, so that theirs cannot hide these."""
    return store.sessions_page(limit=RECENT_SESSIONS, link=links.STOCK).records


def waiting() -> list[Session]:
    """The platform's newest sessions that wait for their verdict, at most RECENT_SESSIONS."""
    return _waiting(_recent())


def _waiting(recent: list[Session]) -> list[Session]:
    return [one for one in recent if one.is_platforms and one.status is SessionStatus.PENDING]


def pending(recent: list[Session]) -> int:
    """Quantum keys of the platform's sessions that wait for their verdict."""
    fresh = clock.ago(FRESH_SECONDS)  # an older one lost its event; it must not hold up a refill
    return sum(int(one.keys_total) for one in _waiting(recent) if one.timestamp > fresh)
