"""The progress of transfers: one display for all of them on a terminal, a callback in a library."""

import math
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self, TextIO

from qkdclient.names import shown as escaped

Progress = Callable[[int, int], object]  # bytes done, bytes in all
WIDTH = 20
EVERY_SECONDS = 0.1
RATE_SECONDS = 5.0  # over which the rate is told
UNITS = ("kB", "MB", "GB", "TB")
LINES = 8  # files that are shown at once


def silent(_done: int, _total: int) -> None:
    """Show no progress."""


class Transfer:
    """One file on its way."""

    def __init__(self, label: str) -> None:
        self.label, self.done, self.total = label, 0, 0
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, done: int, total: int, now: float) -> None:
        """Note how far it is."""
        self.done, self.total = done, total
        self._seen.append((now, done))
        while now - self._seen[0][0] > RATE_SECONDS and len(self._seen) > 2:
            self._seen.popleft()

    @property
    def is_over(self) -> bool:
        """Return whether all of it is done."""
        return self.done >= self.total

    @property
    def rate(self) -> float:
        """Bytes per second lately."""
        if len(self._seen) < 2:
            return 0.0
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now > began else 0.0


_drawing: list["Display"] = []  # the one that is shown


def aside() -> AbstractContextManager[None]:
    """Write beside what is drawn, instead of under it."""
    return _drawing[-1].away() if _drawing else nullcontext()


class Display:
    """Draws the transfers that are under way and all of them together; nothing unless ``shown``."""

    def __init__(self, *, shown: bool, stream: TextIO | None = None) -> None:
        self._shown, self._stream = shown, stream or sys.stderr
        self._lock, self._transfers = threading.Lock(), list[Transfer]()
        self._drawn_at, self._lines = 0.0, 0

    def __enter__(self) -> Self:
        _drawing.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _drawing.remove(self)
        with self._lock:
            self._draw(time.monotonic())

    @contextmanager
    def away(self) -> Iterator[None]:
        """Take what is drawn away while something else is written; it is drawn again below that."""
        with self._lock:
            if self._lines:
                self._stream.write(f"\x1b[{self._lines}A\r\x1b[J")
                self._stream.flush()
                self._lines = 0
            yield
            sys.stdout.flush()

    def track(self, label: str) -> Progress:
        """The progress of one more file."""
        transfer = Transfer(escaped(label))
        with self._lock:
            self._transfers.append(transfer)

        def progress(done: int, total: int) -> None:
            now = time.monotonic()
            with self._lock:
                transfer.at(done, total, now)
                if now - self._drawn_at >= EVERY_SECONDS:
                    self._draw(now)

        return progress

    def _draw(self, now: float) -> None:
        if not self._shown or not self._transfers:
            return
        self._drawn_at = now
        width = shutil.get_terminal_size().columns - 1
        lines = [line[:width] for line in self.lines()]
        up = f"\x1b[{self._lines}A" if self._lines else ""
        blank = max(0, self._lines - len(lines))
        self._stream.write(up + "".join(f"\r\x1b[K{line}\n" for line in lines + [""] * blank))
        if blank:
            self._stream.write(f"\x1b[{blank}A")
        self._stream.flush()
        self._lines = len(lines)

    def lines(self) -> list[str]:
        """What is shown: the files under way, and all together where there are several."""
        under_way = [transfer for transfer in self._transfers if not transfer.is_over]
        if len(self._transfers) == 1:
            return [line_of(self._transfers[0])]
        return [line_of(transfer) for transfer in under_way[:LINES]] + [self._together(under_way)]

    def _together(self, under_way: list[Transfer]) -> str:
        whole = Transfer(f"{len(self._transfers) - len(under_way)} of {len(self._transfers)} files")
        whole.done = sum(transfer.done for transfer in self._transfers)
        whole.total = sum(transfer.total for transfer in self._transfers)
        return line_of(whole, rate=sum(transfer.rate for transfer in under_way))


def line_of(transfer: Transfer, *, rate: float | None = None) -> str:
    """A transfer as a line: a bar, bytes, rate, and the time that is left."""
    rate = transfer.rate if rate is None else rate
    share = transfer.done / transfer.total if transfer.total else 1.0
    bar = ("#" * int(share * WIDTH)).ljust(WIDTH, "-")
    left = f", {as_time((transfer.total - transfer.done) / rate)} left" if rate and share < 1 else ""
    sizes = f"{as_size(transfer.done)} of {as_size(transfer.total)}"
    return f"[{bar}] {share:4.0%} {sizes}, {as_size(rate)}/s{left}  {transfer.label}"


def as_size(count: float) -> str:
    """Bytes as people read them.

    >>> as_size(999), as_size(12_345_678)
    ('999 B', '12.3 MB')
    """
    if count < 1000:
        return f"{count:.0f} B"
    power = min(int(math.log(count, 1000)), len(UNITS))
    return f"{count / 1000**power:.1f} {UNITS[power - 1]}"


def as_time(seconds: float) -> str:
    """Seconds as people read them.

    >>> as_time(59), as_time(3_725)
    ('0:59', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
