"""How fast a worker works on files."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """A limit of files a second, which leaves the tables to callers who wait for an answer."""

    per_second: float
    sleep: Callable[[float], object] = time.sleep
    files: int = 0
    began: float = 0.0

    def after(self, count: int) -> bool:
        """Wait until the files so far are not too many; return whether that was necessary."""
        self.began = self.began or time.monotonic()
        self.files += count
        seconds = self.began + self.files / self.per_second - time.monotonic()
        self.sleep(max(0.0, seconds))
        return seconds > 0
