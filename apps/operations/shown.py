"""How the schedules did, by the turns of their parts."""

from dataclasses import dataclass
from datetime import datetime

from apps.common import scheduling, turns
from apps.common.scheduling import Schedule


@dataclass(frozen=True, slots=True)
class ScheduleShown:
    """A schedule: when it ran last, when it runs next by itself, and how many parts failed or are behind."""

    name: str
    meaning: str
    parts: int
    failed: int
    starved: int
    started_at: datetime | None
    next_at: datetime | None


def schedules() -> list[ScheduleShown]:
    """Return every schedule, by one Query each."""
    return [_shown(schedule) for schedule in Schedule]


def _shown(schedule: Schedule) -> ScheduleShown:
    names = [part.name for part in scheduling.parts_of(schedule)]
    known = turns.known(schedule)
    found = [known[name] for name in names if name in known]
    last = max((turn.started_at for turn in found), default=None)
    return ScheduleShown(
        name=schedule.value,
        meaning=schedule.meaning,
        parts=len(names),
        failed=sum(turn.failed for turn in found),
        starved=sum(turn.is_starved for turn in found),
        started_at=last,
        next_at=None if last is None else last + schedule.interval,
    )
