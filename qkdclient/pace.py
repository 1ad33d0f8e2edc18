"""A limit to the bytes per second, for all transfers together."""

import threading
import time
from collections.abc import Callable, Iterator

SLICE = 64 * 1024  # bytes that pass at once, so that a low limit is even


class Pace:
    """Lets ``bytes_per_second`` pass on average; None lets everything pass. Safe to use from several threads."""

    def __init__(self, bytes_per_second: int | None = None) -> None:
        self._rate, self._lock, self._free_at = bytes_per_second, threading.Lock(), time.monotonic()

    def spend(self, count: int) -> None:
        """Wait until ``count`` bytes more may pass."""
        if self._rate is None:
            return
        with self._lock:
            begins = max(self._free_at, time.monotonic())
            self._free_at = begins + count / self._rate
        time.sleep(max(0.0, self._free_at - time.monotonic()))

    def body(self, content: bytes) -> bytes | Callable[[], "Paced"]:
        """The content as the body of a request: as it is, or made anew for each try and read at this pace."""
        return content if self._rate is None else lambda: Paced(content, self)


class Paced:
    """A readable stream of known length that is read at a pace."""

    def __init__(self, content: bytes, pace: Pace) -> None:
        self._view, self._pace = memoryview(content), pace

    def __len__(self) -> int:
        return len(self._view)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._view), SLICE):
            piece = self._view[start : start + SLICE]
            self._pace.spend(len(piece))
            yield bytes(piece)
