"""Pool keys by state and age, as metrics."""

from collections.abc import Iterator

from apps.common import clock
from apps.common.dynamodb import Position
from apps.keys import services
from apps.metrics.catalog import POOL_KEY_AGE, POOL_KEYS
from apps.metrics.measuring import Reading


def _pool() -> Iterator[Reading]:
    for state, count in services.counts().items():
        named = {"state": state.value}
        yield Reading(POOL_KEYS, count, named)
        # Read upwards from before every time, the list begins with the oldest
        oldest = services.keys_page(limit=1, state=state, position=Position("0", older=False)).records
        if oldest:
            yield Reading(POOL_KEY_AGE, (clock.now() - oldest[-1].created_at).total_seconds(), named)


GAUGES = [_pool]
