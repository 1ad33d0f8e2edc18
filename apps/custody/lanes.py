"""Batches under way at once: as many as the pace wants and the tables take."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Self, TypeVar

from apps.common import tracing
from apps.common.transient import is_transient
from apps.custody.pace import Pace

T = TypeVar("T")
WIDEST = 8  # batches at once: within the connections that a process keeps to AWS


class Lanes(Generic[T]):
    """Threads that each work on one batch.

    One more is begun at a time while the pace is not reached, one fewer where it is, and half as many where AWS refuses.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._threads = ThreadPoolExecutor(WIDEST, thread_name_prefix="lane")
        self._under_way: deque[Future[T]] = deque()
        self.width = 1
        self.is_refused = False  # a batch was not taken, and is left for later

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True)  # each batch is a transaction: none is left half done

    def begin(self, batch: Callable[[], T]) -> Iterator[T]:
        """Begin a batch; give what has come of those before it, until there is room for another."""
        self._under_way.append(self._threads.submit(tracing.in_thread(batch)))
        while len(self._under_way) >= self.width:
            yield from self._settled()

    def rest(self) -> Iterator[T]:
        """Give what comes of all that is under way."""
        while self._under_way:
            yield from self._settled()

    def keep_pace(self, count: int) -> None:
        """Wait until the items so far are not too many, and work wider where they are too few."""
        waited = self._pace.after(count)
        self.width = max(1, self.width - 1) if waited else min(WIDEST, self.width + 1)

    def _settled(self) -> Iterator[T]:
        """What came of the oldest batch; nothing where AWS refused it, but others were under way.

        Raises:
            whatever the batch raised that does not pass by itself, or came though it was alone.
        """
        alone = self.width == 1
        try:
            done = self._under_way.popleft().result()
        except Exception as error:
            if alone or not is_transient(error):
                raise
            self.width = max(1, self.width // 2)
            self.is_refused = True
        else:
            yield done
