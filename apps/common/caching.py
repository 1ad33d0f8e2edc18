"""What is kept in memory for a short time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class TimedCache(Generic[T]):
    """A few values in memory, so that a busy process does not ask for them each time.

    Bounded in number (the least recently used goes first) and in age (use does not prolong it: what changed
    elsewhere is known after ``ttl_seconds`` at the latest). Forgetting is local to the process. Safe to use from
    several threads; two that miss the same value both load it.

    One class of ours rather than cachetools, whose ``TTLCache`` would need the lock and ``forget`` around it anyway.

    Args:
        max_items: values held at most, > 0.
        ttl_seconds: age at which a value is loaded again, > 0.
        clock: monotonic seconds.
    """

    def __init__(
        self, *, max_items: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if max_items < 1 or ttl_seconds <= 0:
            raise ValueError("the cache needs room for one item and a positive age")
        self._max_items = max_items
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._items: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._forgotten = 0

    def get(self, name: str, load: Callable[[], T]) -> T:
        """The value of a name: the cached one, or what ``load()`` gives (its errors pass through, uncached)."""
        with self._lock:
            self._drop_expired()
            if name in self._items:
                self._items.move_to_end(name)
                return self._items[name][1]
            forgotten = self._forgotten
        value = load()  # outside the lock: it may be a call over the network
        with self._lock:
            # What was forgotten while it was loaded may be what was loaded: a key revoked while KMS answers
            if forgotten == self._forgotten:
                self._keep(name, value)
        return value

    def forget(self, name: str) -> None:
        """Drop a value, also one that is being loaded right now."""
        with self._lock:
            self._forgotten += 1
            self._items.pop(name, None)

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._forgotten += 1
            self._items.clear()

    def __contains__(self, name: str) -> bool:
        with self._lock:
            self._drop_expired()
            return name in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} of {self._max_items} items)"  # never what they are

    def _drop_expired(self) -> None:
        """Drop whatever is too old, not only what is asked for: a secret does not wait to be asked for again."""
        moment = self._clock()
        for name in [name for name, (expires, _) in self._items.items() if moment >= expires]:
            del self._items[name]

    def _keep(self, name: str, value: T) -> None:
        self._items[name] = (self._clock() + self._ttl_seconds, value)
        self._items.move_to_end(name)
        while len(self._items) > self._max_items:
            self._items.popitem(last=False)
