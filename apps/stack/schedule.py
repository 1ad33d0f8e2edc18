"""The schedules of ``zappa_settings.json``, fired on this machine as EventBridge fires them.

``rate(...)`` fires at start and then at its interval, so that what a crash left undone is swept at once;
``cron(...)`` fires at its minutes in UTC. STACK_SCHEDULE_SECONDS replaces every expression by an interval.
"""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apps.stack.invocation import Entry, Event

STAGE = "dev"
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((.+)\)")
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_POLL_SECONDS = 1.0
# minute, hour, day of month, month, day of week (1 is Sunday), year
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))


class UnknownExpression(Exception):
    """Neither ``rate(...)`` nor a ``cron(...)`` that is understood here."""


@dataclass
class Rule:
    """A schedule: due when ``due`` says so, given the time and when it last fired."""

    name: str
    due: Callable[[datetime, datetime | None], bool]
    last: datetime | None = None


def rules(path: Path, override_seconds: float | None) -> list[Rule]:
    """The rules of the settings' stage, named as Zappa names them: ``<project>-<stage>-<function>``."""
    stages = json.loads(path.read_text())
    stage = stages[STAGE]
    while parent := stage.pop("extends", None):
        stage = stages[parent] | stage
    made = []
    for event in stage.get("events", []):
        due = every(override_seconds) if override_seconds else parse(event["expression"])
        made.append(Rule(f"{stage['project_name']}-{STAGE}-{event['function']}", due))
    return made


def parse(expression: str) -> Callable[[datetime, datetime | None], bool]:
    """When an expression of EventBridge is due.

    Raises:
        UnknownExpression
    """
    if rate := _RATE.fullmatch(expression):
        return every(int(rate[1]) * _UNITS[rate[2]])
    cron = _CRON.fullmatch(expression)
    if cron is None or len(fields := cron[1].split()) != len(_RANGES):
        raise UnknownExpression(expression)
    allowed = [_values(field, low, high) for field, (low, high) in zip(fields, _RANGES, strict=True)]

    def due(now: datetime, last: datetime | None) -> bool:
        minute = now.replace(second=0, microsecond=0)
        parts = (now.minute, now.hour, now.day, now.month, now.isoweekday() % 7 + 1, now.year)
        matches = all(part in values for part, values in zip(parts, allowed, strict=True))
        return matches and (last is None or last < minute)

    return due


def every(seconds: float) -> Callable[[datetime, datetime | None], bool]:
    """At once, then at an interval."""
    return lambda now, last: last is None or (now - last).total_seconds() >= seconds


def _values(field: str, low: int, high: int) -> frozenset[int]:
    """The numbers that a field of a cron expression stands for."""
    for names, first in ((_MONTHS, 1), (_DAYS, 1)):
        for number, name in enumerate(names, start=first):
            field = field.replace(name, str(number)) if (low, high) in {(1, 12), (1, 7)} else field
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        match = re.fullmatch(r"(\*|\?)|(\d+)(?:-(\d+))?", span)
        if match is None or (step and not step.isdigit()):
            raise UnknownExpression(part)
        start = low if match[1] else int(match[2])
        end = high if match[1] or (step and not match[3]) else int(match[3] or match[2])
        found.update(range(start, end + 1, int(step or 1)))
    if not found or min(found) < low or max(found) > high:
        raise UnknownExpression(field)
    return frozenset(found)


def scheduled_event(name: str, moment: datetime) -> Event:
    """What EventBridge sends."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [f"arn:aws:events:us-east-1:000000000000:rule/{name}"],
        "detail": {},
    }


def relay_schedule(entry: Entry, plan: list[Rule], stop: threading.Event) -> None:
    """Fire what is due until told to stop."""
    while not stop.is_set():
        began = time.monotonic()
        for rule in plan:
            now = datetime.now(UTC)
            if rule.due(now, rule.last):
                rule.last = now
                entry.deliver(scheduled_event(rule.name, now), source=f"schedule {rule.name}")
        stop.wait(max(0.0, _POLL_SECONDS - (time.monotonic() - began)))
