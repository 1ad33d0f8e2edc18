"""What runs on a schedule: each app declares its parts in ``schedules.py``, in the order that they run in.

A part may run late, twice, or not at all once: its next run does the same work.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.core.exceptions import ImproperlyConfigured

from apps.common import clock, turns
from apps.common.deadline import seconds_left
from apps.common.declarations import modules_named
from apps.common.slices import Slice, limited_to

log = logging.getLogger(__name__)
SLICE_SECONDS = 50.0  # of one part at a time: sixteen fit into the 900 seconds of a function
SPARE_SECONDS = 40.0  # the longest that one item may take beyond


class Schedule(StrEnum):
    """When parts run; ``zappa_settings.json`` has the intervals."""

    SWEEP = "sweep"
    REFILL = "refill"
    ROTATE = "rotate"

    @property
    def meaning(self) -> str:
        """Return what the parts of the schedule have in common."""
        return {
            Schedule.SWEEP: "Finishes what a lost event left, and removes what nobody needs.",
            Schedule.REFILL: "Keeps the pools and the stock above their low-water marks.",
            Schedule.ROTATE: "Rotates pool keys that are too old or used too often.",
        }[self]

    @property
    def interval(self) -> timedelta:
        """Return how often it runs, as ``zappa_settings.json`` says."""
        return timedelta(days=1) if self is Schedule.ROTATE else timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a schedule.

    Args:
        schedule: when it runs.
        order: its place among the schedule's parts, lowest first.
        name: what it counts, as the log says it.
        run: does it, and returns how many.
    """

    schedule: Schedule
    order: int
    name: str
    run: Callable[[], int]


def collect(declared: Iterable[Part]) -> list[Part]:
    """Put parts in their order.

    Raises:
        ImproperlyConfigured: two parts of one schedule have one name, or one place.
    """
    parts = sorted(declared, key=lambda part: (list(Schedule).index(part.schedule), part.order))
    for field in ("name", "order"):
        taken = [(part.schedule, getattr(part, field)) for part in parts]
        for one in taken:
            if taken.count(one) > 1:
                raise ImproperlyConfigured(f"Two parts of {one[0]} have the {field} {one[1]!r}.")
    return parts


def parts_of(schedule: Schedule) -> list[Part]:
    """Return the parts of one schedule, of all apps, in their order."""
    declared = [part for module in modules_named("schedules") for part in module.PARTS]
    return [part for part in collect(declared) if part.schedule is schedule]


@dataclass(frozen=True, slots=True)
class Due:
    """Whether a part runs now, and when it runs next; None: nobody knows, as its schedule has not come."""

    is_running: bool
    at: datetime | None


def due(schedule: Schedule, part: str) -> Due:
    """Tell when a part runs next, by its latest turn: one Query."""
    turn = turns.known(schedule).get(part)
    if turn is None:
        return Due(is_running=False, at=None)
    moment, following = clock.now(), turn.started_at + schedule.interval
    is_running = turn.held_until is not None and turn.held_until > moment
    if following < moment - schedule.interval:  # it was left out: whatever calls it does not run
        return Due(is_running, None)
    return Due(is_running, max(following, moment))


@dataclass(frozen=True, slots=True)
class Ran:
    """A part that has had its slice, and the error that it ended with."""

    part: str
    error: Exception | None = None


def run(schedule: Schedule) -> None:
    """Run every part of a schedule, as ``each_part``.

    Raises:
        ExceptionGroup: parts failed; all of them, after the last part ran.
    """
    failures = [ran.error for ran in each_part(schedule) if ran.error is not None]
    if failures:
        raise ExceptionGroup("parts of the schedule failed", failures)


def each_part(schedule: Schedule, *, but: Collection[str] = ()) -> Iterator[Ran]:
    """Run the parts of a schedule for a slice each, whatever happens to the others; what waited longest comes first.

    Of two runs at once, each part is in one of them. Where the process's time ends before the last part, the next run
    begins with that.

    Args:
        schedule: whose parts.
        but: names of parts that are left out.
    """
    known = turns.known(schedule)
    parts = [part for part in parts_of(schedule) if part.name not in but]
    never = datetime.min.replace(tzinfo=UTC)
    parts.sort(key=lambda part: known[part.name].started_at if part.name in known else never)
    for part in parts:
        left = seconds_left()
        if left is not None and left < SLICE_SECONDS + SPARE_SECONDS:
            log.warning(
                "%s: no time for %r and what follows; the next run begins with it", schedule, part.name
            )
            return
        try:
            _run(part)
        except Exception as error:  # noqa: BLE001 - the other parts still run; who asked for them is told of it
            yield Ran(part.name, error)
        else:
            yield Ran(part.name)


def _run(part: Part) -> None:
    turn = turns.take(part.schedule, part.name)
    if turn is None:
        log.info("%s: another run is at it", part.name)
        return
    limits = Slice(SLICE_SECONDS, turn.tried)
    failed = True
    try:
        with turns.kept(turn), limited_to(limits):
            count = part.run()
        failed = False
    finally:
        turns.end(turn, tried=limits.tried, is_whole=not limits.is_cut, failed=failed)
    if limits.is_cut:
        log.warning("%s: %d, and more are due than one slice takes", part.name, count)
    elif count:
        log.info("%s: %d", part.name, count)
