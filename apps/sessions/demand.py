"""How many quantum keys the stock should hold, from how fast they are taken. Pure.

    low water = max(STOCK_LOW_WATER, 2 x rate x STOCK_LEAD_SECONDS)      target = max(STOCK_TARGET, 2 x low water)

The lead time is that of a refill, from noticing to ready keys; twice, as demand may double meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime
from math import ceil

from django.conf import settings

from apps.sessions.records import StockLevel

SPARE = 2.0  # times the lead time, and the low-water mark, that are kept
FADING_SECONDS = 600.0  # in which a rate that is measured no more falls to a third: demand comes in waves


@dataclass(frozen=True, slots=True)
class Marks:
    """Ready keys below which the stock is refilled, and up to how many."""

    low_water: int
    target: int


def marks(per_second: float, *, least: Marks | None = None) -> Marks:
    """The marks at a rate of keys taken: never below ``least``, which are the settings' unless told."""
    least = least or Marks(settings.STOCK_LOW_WATER, settings.STOCK_TARGET)
    low = max(least.low_water, ceil(SPARE * per_second * settings.STOCK_LEAD_SECONDS))
    return Marks(low, max(least.target, ceil(SPARE * low) if low > least.low_water else low))


def measure(before: StockLevel, *, ready: int, made: int, moment: datetime) -> float:
    """Keys taken a second since the last measurement; a lower rate than before comes slowly, a higher one at once.

    Args:
        before: as last measured.
        ready: keys that are ready now.
        made: that became ready since then.
        moment: now.
    """
    if before.measured_at is None:
        return 0.0
    seconds = (moment - before.measured_at).total_seconds()
    if seconds <= 0:
        return float(before.per_second)
    taken = max(0, int(before.ready) + made - ready)
    faded = float(before.per_second) * max(0.0, 1 - seconds / FADING_SECONDS)
    return max(taken / seconds, faded)
