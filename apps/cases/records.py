"""Cases: how people handle what the detector found (B8)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.common import clock
from apps.common.authenticated import Record
from apps.common.errors import NotFound, Refused


class CaseNotFound(NotFound):
    """No such case."""


class CaseClosed(Refused):
    """The case is closed, or somebody has taken it already."""


class CaseStatus(StrEnum):
    """``open`` → ``acknowledged`` → ``closed``; one that is open may be closed at once."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Severity(StrEnum):
    """How urgent a finding is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Case(Record):
    """A finding about one session, and what people did about it. Its window is the link's time under suspicion."""

    case_id: str
    session_id: str
    link: str
    owner: str  # of the session
    verdict: str
    severity: Severity
    study: bool  # the eavesdropper was asked for
    reasons: tuple[str, ...]
    opened_at: datetime
    window_from: datetime
    status: CaseStatus = CaseStatus.OPEN
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    resolution: str | None = None

    @property
    def window_until(self) -> datetime:
        """The end of the window: when the case was closed, or now."""
        return self.closed_at or clock.now()


@dataclass(frozen=True, slots=True)
class Note(Record):
    """What somebody wrote about a case. ``note_id`` begins with the time, so that notes are in order."""

    case_id: str
    note_id: str
    noted_at: datetime
    author: str
    text: str


def case_id_of(session_id: str) -> str:
    """Return the id of the case about a session: there is one at most."""
    return f"case-{session_id}"
