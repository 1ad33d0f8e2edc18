"""How long a part of a schedule may take at a time, and where its next slice goes on (I11).

A part does one thing to many items by ``apps.common.sweeps.each``. Once its slice is over, ``each`` stops, and remembers
what was tried; the next slice passes over that until all others had their turn. So items that fail, or are not done
yet, keep nobody waiting.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from apps.common import clock

MOST_REMEMBERED = (
    3000  # items of a round: 30 KB; what a slice tries beyond that is tried again in the next one
)
STARVED_SECONDS = 3600  # without a whole round: the parts come every five minutes
_MARK = 10  # hexadecimal digits of an item's mark: of 3,000, two share one with a chance of 1 in 200,000


@dataclass(frozen=True, slots=True)
class Turn:
    """What is known of a part: its latest turn."""

    schedule: str
    part: str
    started_at: datetime
    holder: str = ""
    held_until: datetime | None = None
    whole_since: datetime | None = None  # when its last whole round ended: nothing was left over
    tried: tuple[str, ...] = ()  # of a round that is not whole
    failed: bool = False

    @property
    def is_starved(self) -> bool:
        """Return whether the part has not come to the end of what is due for too long."""
        return (self.whole_since or self.started_at) < clock.ago(STARVED_SECONDS)


class Slice:
    """One part's time, and what it tried in this round."""

    def __init__(self, seconds: float, tried: Sequence[str] = ()) -> None:
        self._ends = time.monotonic() + seconds
        self._tried = dict.fromkeys(tried)
        self.is_cut = False

    @property
    def is_over(self) -> bool:
        """Return whether the part is to stop."""
        return time.monotonic() >= self._ends

    def was_tried(self, item: object) -> bool:
        """Return whether an item had its turn in this round already."""
        return _mark(item) in self._tried

    def note(self, item: object) -> None:
        """Remember that an item had its turn."""
        self._tried[_mark(item)] = None

    @property
    def tried(self) -> tuple[str, ...]:
        """What the next slice passes over: nothing once a round is complete."""
        return tuple(self._tried)[-MOST_REMEMBERED:] if self.is_cut else ()


_current: ContextVar[Slice | None] = ContextVar("slice", default=None)


def current() -> Slice | None:
    """Return the slice that this work is done in; None where nobody limits it."""
    return _current.get()


@contextmanager
def limited_to(part: Slice | None) -> Iterator[None]:
    """Limit what the block does to a slice, or with None to nothing."""
    token = _current.set(part)
    try:
        yield
    finally:
        _current.reset(token)


def _mark(item: object) -> str:
    return hashlib.sha256(repr(item).encode()).hexdigest()[:_MARK]
