"""Times of day in which keys are produced over a link, in UTC: as 08:00-18:30, or 22:00-06:00 over midnight."""

import re
from collections.abc import Sequence
from datetime import datetime

from apps.common.errors import Invalid

WINDOW = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
ALWAYS = "00:00-24:00"
MOST = 24


def check(schedule: Sequence[str]) -> tuple[str, ...]:
    """The windows in order.

    Raises:
        Invalid: one is none, or has no length.
    """
    if not 1 <= len(schedule) <= MOST or not all(re.fullmatch(WINDOW, one, re.ASCII) for one in schedule):
        raise Invalid.of("schedule", f"1 to {MOST} times of day as 08:00-18:30, in UTC; {ALWAYS} for always")
    if any(begins == ends for begins, ends in map(_minutes, schedule)):
        raise Invalid.of("schedule", "A time begins and ends at the same minute.")
    return tuple(sorted(set(schedule)))


def includes(schedule: Sequence[str], moment: datetime) -> bool:
    """Return whether a moment lies in one of the windows."""
    minute = 60 * moment.hour + moment.minute
    return any(
        begins <= minute < ends if begins < ends else minute >= begins or minute < ends
        for begins, ends in map(_minutes, schedule)
    )


def threshold(schedule: Sequence[str] | None, moment: datetime, *, low_water: int, target: int) -> int:
    """How few keys have to be ready so that more are produced now.

    Without a schedule fewer than the low-water mark; with one, at its times, fewer than the target, else none.
    """
    if schedule is None:
        return low_water
    return target if includes(schedule, moment) else 0


def _minutes(window: str) -> tuple[int, int]:
    begins, ends = (60 * int(one[:2]) + int(one[3:]) for one in window.split("-"))
    return begins, ends
