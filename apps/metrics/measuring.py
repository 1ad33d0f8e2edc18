"""Gauges: what there is now. Each app declares in ``gauges.py`` how its own are read."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from apps.common.declarations import modules_named
from apps.metrics.catalog import Metric
from apps.metrics.recording import flush, observe

log = logging.getLogger(__name__)
FRESH_SECONDS = 15.0
_measuring = threading.Lock()
_at = [float("-inf")]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a gauge shows."""

    metric: Metric
    value: float
    dimensions: dict[str, str] = field(default_factory=dict)


Gauge = Callable[[], Iterable[Reading]]


def measure() -> int:
    """Read every gauge; one that fails keeps no other from being read. Returns how many values were read."""
    count = 0
    for module in modules_named("gauges"):
        for gauge in module.GAUGES:
            try:
                for reading in gauge():
                    observe(reading.metric, reading.value, **reading.dimensions)
                    count += 1
            except Exception:
                log.exception("the gauges of %s cannot be read", module.__name__)
    flush()
    return count


def measure_if_old() -> None:
    """Read the gauges unless this process did so just now."""
    with _measuring:
        if time.monotonic() - _at[0] >= FRESH_SECONDS:
            measure()
            _at[0] = time.monotonic()
