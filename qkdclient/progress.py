"""The progress of a transfer: a bar on a terminal, a callback in a library."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[int, int], object]  # bytes done, bytes in all
WIDTH = 30
EVERY_SECONDS = 0.1


def silent(_done: int, _total: int) -> None:
    """Show no progress."""


class Bar:
    """A progress bar that redraws its line; shows nothing if the stream is not a terminal."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label, self._stream = label, stream or sys.stderr
        self._began = self._drawn = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Draw the bar, at most ten times a second."""
        now = time.monotonic()
        if not self._stream.isatty() or (done < total and now - self._drawn < EVERY_SECONDS):
            return
        self._drawn = now
        self._stream.write(f"\r{self.line(done, total, now - self._began)}")
        if done >= total:
            self._stream.write("\n")
        self._stream.flush()

    def line(self, done: int, total: int, seconds: float) -> str:
        """The bar as a line of text."""
        share = done / total if total else 1.0
        filled = int(share * WIDTH)
        speed = done / seconds / 1e6 if seconds > 0 else 0.0
        bar = "#" * filled + "-" * (WIDTH - filled)
        return (
            f"{self._label} [{bar}] {share:4.0%} {done / 1e6:.1f} of {total / 1e6:.1f} MB, {speed:.1f} MB/s"
        )
