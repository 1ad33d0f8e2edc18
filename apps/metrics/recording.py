"""Metrics are recorded into memory, and sent on a second later, or when an invocation of Lambda ends.

Whatever fails on the way costs metrics and nothing else: nothing here raises.
"""

import atexit
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from apps.metrics import sinks, spans
from apps.metrics.catalog import Metric
from apps.metrics.series import Series

log = logging.getLogger(__name__)
spans.begin()
FLUSH_SECONDS = 1.0
MOST_SERIES = 5000  # likewise, of all metrics: what a caller can choose must not fill the memory
VALUE_LENGTH = 128  # of a dimension


class Buffer:
    """What this process recorded since the last flush."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], Series] = {}
        self._timer: threading.Timer | None = None

    def add(self, metric: Metric, value: float, dimensions: Mapping[str, str]) -> None:
        """Record one value, and see to it that it is sent."""
        if dimensions.keys() != set(metric.dimensions):
            raise ValueError(f"{metric.name} has the dimensions {metric.dimensions}.")
        named = {name: str(dimensions[name])[:VALUE_LENGTH] or "none" for name in metric.dimensions}
        key = (metric.name, *named.values())
        with self._lock:
            if key not in self._series and len(self._series) >= MOST_SERIES:
                return
            self._series.setdefault(key, Series(metric, named)).add(float(value))
            if self._timer is None and not _on_lambda():
                self._timer = threading.Timer(FLUSH_SECONDS, flush)
                self._timer.daemon = True
                self._timer.start()

    def take(self) -> list[Series]:
        """Empty the buffer."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()  # what it was for is sent now
            taken, self._series, self._timer = list(self._series.values()), {}, None
        return taken


_buffer = Buffer()


def _after_fork() -> None:
    """Begin anew in a child: it has no thread that would flush, and its parent sends what was recorded before."""
    global _buffer  # noqa: PLW0603 - one for each process
    _buffer = Buffer()


os.register_at_fork(after_in_child=_after_fork)


def _on_lambda() -> bool:
    """Return whether this process is frozen between events, so that no timer runs."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def observe(metric: Metric, value: float = 1, **dimensions: str) -> None:
    """Record a value: add it to a counter, set a gauge, or take it into a distribution. Never raises."""
    try:
        _buffer.add(metric, value, dimensions)
    except Exception:
        log.exception("a value of %s was not recorded", getattr(metric, "name", metric))


def record_entries(entries: Iterable[Mapping[str, Any]]) -> None:
    """Record what entries of the trail count, once they are committed. Never raises."""
    from apps.metrics.derived import samples  # noqa: PLC0415 - it reads the catalog, which is not needed before

    try:
        for entry in entries:
            for sample in samples(entry["event"], entry["outcome"], entry["detail"]):
                _buffer.add(sample.metric, sample.value, sample.dimensions)
    except Exception:
        log.exception("what entries count was not recorded")


def flush() -> None:
    """Send what was recorded. Never raises: what cannot be sent is lost."""
    try:
        taken = _buffer.take()
        if taken:
            sinks.send(taken)
    except Exception as error:  # noqa: BLE001 - no request fails for a metric
        log.warning("metrics were lost: %s", type(error).__name__)


atexit.register(flush)  # a command, or a worker that ends, within a second of what it recorded
