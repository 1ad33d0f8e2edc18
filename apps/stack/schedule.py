"""The schedules of ``zappa_settings.json``, fired on this machine as EventBridge fires them.

``rate(...)`` fires at start and then at its interval, so that what a crash left undone is swept at once. No schedule
is a ``cron(...)``. STACK_SCHEDULE_SECONDS replaces every expression by an interval.
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

STAGE = "dev-worker"  # the function that has them
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_POLL_SECONDS = 1.0


class UnknownExpression(Exception):
    """An expression that is not fired on this machine."""


@dataclass
class Rule:
    """A schedule: due when ``due`` says so, given the monotonic clock, which nobody sets, and when it last fired."""

    name: str
    due: Callable[[float, float | None], bool]
    last: float | None = None


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


def parse(expression: str) -> Callable[[float, float | None], bool]:
    """Return when an expression of EventBridge is due.

    Raises:
        UnknownExpression: it is not of the form ``rate(5 minutes)``.
    """
    rate = _RATE.fullmatch(expression)
    if rate is None:
        raise UnknownExpression(f"{expression!r}: only rate(...) is fired on this machine.")
    return every(int(rate[1]) * _UNITS[rate[2]])


def every(seconds: float) -> Callable[[float, float | None], bool]:
    """At once, then at an interval."""
    return lambda now, last: last is None or now - last >= seconds


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


def relay_schedule(entry: Entry, rule: Rule, stop: threading.Event) -> None:
    """Fire a rule whenever it is due, until told to stop."""
    while not stop.is_set():
        began = time.monotonic()
        if rule.due(began, rule.last):
            rule.last = began
            event = scheduled_event(rule.name, datetime.now(UTC))
            entry.deliver(event, source=f"schedule {rule.name}")
        stop.wait(max(0.0, _POLL_SECONDS - (time.monotonic() - began)))
