"""What may be stuck of the pool keys."""

from datetime import timedelta

from django.conf import settings

from apps.common import clock
from apps.common.dynamodb import Position
from apps.common.standstill import Stuck, of
from apps.keys import services
from apps.keys.records import KeyState

GRACE_DAYS = 3  # the rotation runs once a day


def _low() -> list[Stuck]:
    active = services.counts()[KeyState.ACTIVE]
    if active >= settings.POOL_LOW_WATER:
        return []
    action = "Look whether the refill runs, and into the log for 'pools refilled'."
    return [Stuck("pool keys below their low-water mark", settings.POOL_LOW_WATER - active, action)]


def _overdue() -> list[Stuck]:
    latest = clock.now() - timedelta(days=settings.POOL_ROTATION_DAYS + GRACE_DAYS)
    # Read upwards from before every time, the list begins with the oldest
    oldest = services.keys_page(limit=50, state=KeyState.ACTIVE, position=Position("0", older=False)).records
    return of(
        "pool keys whose rotation is overdue",
        ((key.key_id, key.created_at) for key in reversed(oldest) if key.created_at < latest),
        action="Look whether the schedule 'rotate' runs.",
    )


CHECKS = [_low, _overdue]
