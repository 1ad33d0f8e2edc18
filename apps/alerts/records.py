"""Alerts: what somebody has to know, said once however often it happens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.common.authenticated import Record
from apps.common.errors import NotFound, Refused


class AlertNotFound(NotFound):
    """No such alert."""


class AlertSettled(Refused):
    """The alert is acknowledged or over already."""


class Urgency(StrEnum):
    """How soon somebody has to look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertStatus(StrEnum):
    """``open`` → ``acknowledged`` → ``over``; what happens again after that opens it again."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Alert(Record):
    """A condition that holds about something. It is one alert however often it is noticed; ``times`` says how often."""

    alert_id: str
    condition: str
    about: str
    urgency: Urgency
    text: str
    status: AlertStatus
    raised_at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)
    sent_at: datetime | None = None
    escalated_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    times: int = 1
    last_at: datetime | None = None
