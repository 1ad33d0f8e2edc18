"""Who follows the trail, and how far each is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.audit.records import Entry


@dataclass(frozen=True, slots=True)
class Place:
    """How far a follower is in one chain: the number of the last entry that it took."""

    follower: str
    chain: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Move:
    """A place that moves on with what is done."""

    follower: str
    chain: str
    before: int
    after: int


Take = Callable[[Sequence[Entry], Sequence[Move]], None]


@dataclass(frozen=True, slots=True)
class Follower:
    """What follows the trail; each app declares its own in ``followers.py``.

    Args:
        name: of its places.
        take: does what it does with some entries, in the order of each chain, and has the places move with it, by
            ``apps.following.places.move``. Where that raises, the entries come again.
        active: whether it follows at all; what it missed while it did not, it takes later, or never.
        from_start: whether it wants all entries there ever were; else those that come from now on.
    """

    name: str
    take: Take
    from_start: bool = True
    active: Callable[[], bool] = lambda: True


class PlaceMoved(Exception):
    """Another process moved the place meanwhile: what was to be done with these entries, it does."""
