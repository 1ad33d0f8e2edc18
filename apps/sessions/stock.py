"""The platform's stock of quantum keys, filled by its own sessions alone: counted by link, watched, refilled."""

import json
import logging
from collections import Counter
from dataclasses import dataclass, replace

from django.conf import settings

from apps.audit.records import Actor, system
from apps.audit.services import record
from apps.common import aws, clock
from apps.links import services as links
from apps.sessions import services, store
from apps.sessions.records import SessionStatus
from apps.sessions.services import GenerateRequest
from apps.sessions.trail import StockEvent

log = logging.getLogger(__name__)
REFILLER = system("refiller")  # whose sessions they are, whoever found the stock empty
SESSION_BITS = 16_384  # 64 quantum keys: one wrapping, one judgement, one stream record for all of them
SESSION_ERROR_RATE = 0.02
FRESH_SECONDS = 120  # a session is judged within that, usually much sooner
COUNTED_SESSIONS = 100  # of each shard: 6,400 keys, far above any low-water mark
PENDING_SESSIONS = 10  # counted: more than that wait only where the detector stands still
KEYS_PER_SESSION = SESSION_BITS // settings.QUANTUM_KEY_BITS
MAX_REFILL_SESSIONS = 20  # of one job; the next run of the schedule decides whether more are needed


@dataclass(frozen=True, slots=True)
class Stock:
    """Quantum keys ready to be taken."""

    total: int
    pending: int
    by_link: dict[str, int]
    low_water: int
    target: int
    own: int = 0  # ready in sessions of whoever asks, which serve nobody else

    @property
    def is_low(self) -> bool:
        """Return whether the keys, those of sessions not judged yet included, are fewer than the low-water mark."""
        return self.total + self.pending < self.low_water


def stock() -> Stock:
    """Count the stock: one Query for each shard, and one for the sessions that wait for their verdict."""
    by_link: Counter[str] = Counter()
    for session in store.stocked(COUNTED_SESSIONS):
        by_link[session.link] += session.keys_left
    return Stock(
        total=by_link.total(),
        pending=_pending(),
        by_link=dict(by_link),
        low_water=settings.STOCK_LOW_WATER,
        target=settings.STOCK_TARGET,
    )


def sessions_wanted(found: Stock) -> int:
    """Sessions that bring a low stock to its target; none while it is not low."""
    if not found.is_low:
        return 0
    missing = max(found.target, found.low_water) - found.total - found.pending
    return min(-(-missing // KEYS_PER_SESSION), MAX_REFILL_SESSIONS)


def refill_request() -> GenerateRequest:
    """The request for a session of the stock."""
    return GenerateRequest(key_length=SESSION_BITS, error_rate=SESSION_ERROR_RATE, link=links.STOCK)


def stock_for(actor: Actor) -> Stock:
    """Count the stock, and beside it the quantum keys ready in the actor's own sessions."""
    own = store.stocked(COUNTED_SESSIONS, owner=str(actor))
    return replace(stock(), own=sum(session.keys_left for session in own))


def raise_alarm(found: Stock, *, actor: Actor) -> None:
    """Say that the stock is low: in the trail, in the log and on the alert topic."""
    record(actor, StockEvent.LOW, total=found.total, low_water=found.low_water, by_link=found.by_link)
    log.warning("%d quantum keys are left; the low-water mark is %d", found.total, found.low_water)
    if settings.ALERT_TOPIC_ARN:
        message = {"event": "stock.low", "total": found.total, "low_water": found.low_water}
        aws.client("sns").publish(
            TopicArn=settings.ALERT_TOPIC_ARN,
            Subject="The stock of quantum keys is low",
            Message=json.dumps(message | {"by_link": found.by_link}),
        )


def refill() -> int:
    """Run one session, as the platform, if the stock is below its low-water mark and none waits for its verdict.

    Returns the quantum keys to come: they are ready once the session is judged.
    """
    found = stock()
    if found.total >= found.low_water or found.pending:
        return 0
    return services.generate(refill_request(), actor=REFILLER).keys_total


def _pending() -> int:
    """Quantum keys of the platform's sessions that wait for their verdict."""
    fresh = clock.ago(FRESH_SECONDS)  # an older one lost its event; it must not hold up a refill
    # By link: clients run none over it, so that theirs cannot hide these
    recent = store.sessions_page(limit=PENDING_SESSIONS, link=links.STOCK).records
    waiting = (one for one in recent if one.is_platforms and one.status is SessionStatus.PENDING)
    return sum(int(one.keys_total) for one in waiting if one.timestamp > fresh)
