"""How fast and how long a worker works on files."""

import time
from collections.abc import Callable
from dataclasses import dataclass

SLICE_SECONDS = 600.0  # of work for one message: below the queue's visibility time-out (900 s)


@dataclass(slots=True)
class Pace:
    """A limit of files a second, which leaves the tables to callers who wait for an answer."""

    per_second: float
    sleep: Callable[[float], object] = time.sleep
    files: int = 0
    began: float = 0.0

    def after(self, count: int) -> None:
        """Wait until the files so far are not too many."""
        self.began = self.began or time.monotonic()
        self.files += count
        self.sleep(max(0.0, self.began + self.files / self.per_second - time.monotonic()))
