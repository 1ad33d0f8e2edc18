"""A principal's share of the stock, so that none drains it for all.

The rule: while the platform has fewer than STOCK_RESERVED quantum keys ready, whoever took more than half of those that
this process gave out within the last minute gets none, and is told to come again; all others do. Nobody is limited while
there are keys. Each process counts for itself: requests of one principal are spread over all of them alike.
"""

import threading
import time
from collections import Counter, deque

from django.conf import settings

WINDOW_SECONDS = 60.0
FEW = 8  # keys given out, below which nobody has a share worth the name
SEEN_SECONDS = 5.0  # that a count of ready keys is held to be true
REMEMBERED = 10_000  # keys; at more than that a minute, the last ones tell as much


class Shares:
    """Who was given how many keys of the platform's stock lately. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: deque[tuple[float, str]] = deque()
        self._by: Counter[str] = Counter()
        self._left: int | None = None
        self._seen = 0.0

    def saw(self, left: int | None) -> None:
        """Remember how many keys were ready when blocks were last listed; None where there were more than listed."""
        self._left, self._seen = left, time.monotonic()

    def gave(self, principal: str) -> None:
        """Count a key that a principal took."""
        with self._lock:
            self._given.append((time.monotonic(), principal))
            self._by[principal] += 1
            self._forget()

    def refuses(self, principal: str) -> bool:
        """Return whether a principal has to leave the last keys to others."""
        if self._left is None or self._left >= settings.STOCK_RESERVED:
            return False
        if self._seen < time.monotonic() - SEEN_SECONDS:  # it may have been refilled: look again
            return False
        with self._lock:
            self._forget()
            return len(self._given) >= FEW and self._by[principal] > len(self._given) / 2

    def clear(self) -> None:
        """Forget everything, as a process that starts."""
        with self._lock:
            self._given.clear()
            self._by.clear()
            self._left = None

    def _forget(self) -> None:
        old = time.monotonic() - WINDOW_SECONDS
        while self._given and (self._given[0][0] < old or len(self._given) > REMEMBERED):
            _, principal = self._given.popleft()
            self._by[principal] -= 1
            if not self._by[principal]:
                del self._by[principal]


_shares = Shares()


def known() -> Shares:
    """Return what this process has given out."""
    return _shares
