"""What runs on a schedule: each app declares its parts in ``schedules.py``, in the order that they run in.

A part may run late, twice, or not at all once: its next run does the same work.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.core.exceptions import ImproperlyConfigured

from apps.common.declarations import modules_named

log = logging.getLogger(__name__)


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


def run(schedule: Schedule) -> None:
    """Run every part of a schedule, whatever happens to the others.

    Raises:
        ExceptionGroup: parts failed; all of them, after the last part ran.
    """
    failures: list[Exception] = []
    for part in parts_of(schedule):
        try:
            count = part.run()
        except Exception as error:  # noqa: BLE001 - the other parts still run; all failures are raised below
            failures.append(error)
        else:
            if count:
                log.info("%s: %d", part.name, count)
    if failures:
        raise ExceptionGroup("parts of the schedule failed", failures)
