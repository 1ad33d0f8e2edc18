"""Secrets kept in memory for a short time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class UnwrappedCache:
    """A few unwrapped secrets in memory, so that a busy process does not ask the root key each time.

    Bounded in number (least recently used goes first) and in age. Forgetting is local to the process: callers
    check the record's state before they use what is cached. Safe to use from several threads.

    Args:
        max_items: secrets held at most, > 0.
        ttl_seconds: age at which a secret is unwrapped again, > 0.
        clock: monotonic seconds.
    """

    def __init__(
        self, max_items: int, ttl_seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if max_items < 1 or ttl_seconds <= 0:
            raise ValueError("the cache needs room for one item and a positive age")
        self._max_items = max_items
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._items: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._forgotten = 0  # a secret whose unwrapping began before the last forget() is not kept

    def get(self, record_id: str, unwrap: Callable[[], bytes]) -> bytes:
        """The secret of a record: the cached one, or what ``unwrap()`` gives (its errors pass through)."""
        with self._lock:
            secret = self._fresh(record_id)
            forgotten = self._forgotten
        if secret is not None:
            return secret
        secret = unwrap()  # outside the lock: it may be a call over the network
        with self._lock:
            if forgotten == self._forgotten:
                self._keep(record_id, secret)
        return secret

    def forget(self, record_id: str) -> None:
        """Drop a record's secret, also one that is being unwrapped right now."""
        with self._lock:
            self._forgotten += 1
            self._items.pop(record_id, None)

    def clear(self) -> None:
        """Drop all secrets."""
        with self._lock:
            self._forgotten += 1
            self._items.clear()

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} of {self._max_items} items)"

    def _fresh(self, record_id: str) -> bytes | None:
        found = self._items.get(record_id)
        if found is None:
            return None
        expires, secret = found
        if self._clock() >= expires:
            del self._items[record_id]
            return None
        self._items.move_to_end(record_id)
        return secret

    def _keep(self, record_id: str, secret: bytes) -> None:
        self._items[record_id] = (self._clock() + self._ttl_seconds, secret)
        self._items.move_to_end(record_id)
        while len(self._items) > self._max_items:
            self._items.popitem(last=False)
