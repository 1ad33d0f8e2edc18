"""Long work: what is to be done, how far it is, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.common import clock, tracing
from apps.common.authenticated import Record


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Return whether nothing more will happen."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow of the state diagram."""

    name: str
    source: JobState
    target: JobState


# The only place that says what may become of a job; conditions of writes and the diagram are made from it.
TRANSITIONS: tuple[Transition, ...] = (
    Transition("start", JobState.QUEUED, JobState.RUNNING),
    Transition("cancel", JobState.QUEUED, JobState.CANCELLED),
    Transition("succeed", JobState.RUNNING, JobState.SUCCEEDED),
    Transition("fail", JobState.RUNNING, JobState.FAILED),
    Transition("cancel", JobState.RUNNING, JobState.CANCELLED),
    Transition("hand_over", JobState.RUNNING, JobState.QUEUED),
    Transition("postpone", JobState.RUNNING, JobState.QUEUED),
    Transition("resend", JobState.FAILED, JobState.QUEUED),
)
# Without a heartbeat, which comes every 5 seconds: the worker is gone. Its message is shown again 45 to 60 seconds after
# its last heartbeat, so that whoever takes it then finds the job silent.
SILENT_SECONDS = 40
AHEAD_SECONDS = (
    1000  # more than any queued job is due in: what is further ahead was noted by a clock set back since
)


@dataclass(frozen=True, slots=True)
class Job(Record):
    """One piece of long work. ``done`` of ``total`` steps; ``results`` are ids of what was made."""

    job_id: str
    kind: str  # the value of a JobKind; read back, it may be one of another release
    state: JobState
    owner: str
    total: int
    created_at: datetime
    done: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None
    heard_at: datetime | None = None  # the last heartbeat of its worker
    cancel_requested: bool = False
    run: str | None = None  # a new one with each start: only the latest run may report and end
    due_at: datetime | None = None  # of one that waits after a failure that passes by itself
    deaths: int = 0  # workers that fell silent, or ran out of time, since the job last came further
    postponed: int = 0  # failures that passed by themselves since then
    resent: int = 0  # times that it was queued again after it had failed
    trace: str | None = None  # of the request that it does work for

    def transition(self, name: str) -> Transition | None:
        """The table's transition of this name from the job's state, if there is one."""
        for one in TRANSITIONS:
            if one.name == name and one.source is self.state:
                return one
        return None

    @property
    def request_id(self) -> str | None:
        """The id of the request that it does work for; None of one that no request asked for."""
        found = tracing.of_text(self.trace)
        return None if found is None else found.request_id

    @property
    def is_alive(self) -> bool:
        """Return whether a worker is at it, going by its heartbeat."""
        heard = self.heard_at is not None and clock.is_recent(self.heard_at, seconds=SILENT_SECONDS)
        return heard and self.state is JobState.RUNNING

    @property
    def is_silent(self) -> bool:
        """Return whether its worker is gone, going by its heartbeat."""
        return self.state is JobState.RUNNING and not self.is_alive

    @property
    def is_due(self) -> bool:
        """Return whether it waits for nothing but a worker."""
        return self.due_at is None or self.due_at <= clock.now()

    @property
    def awaited_since(self) -> datetime:
        """The moment from which a worker should have been heard of."""
        return max(moment for moment in (self.created_at, self.heard_at, self.due_at) if moment is not None)

    def is_overdue(self, *, seconds: float) -> bool:
        """Return whether a worker should have been heard of so many seconds ago, or by a clock set back since."""
        ahead = AHEAD_SECONDS if self.state is JobState.QUEUED else SILENT_SECONDS
        return self.awaited_since < clock.ago(seconds) or self.awaited_since > clock.ago(-ahead)

    @property
    def per_second(self) -> float | None:
        """Steps a second from the start to the last heartbeat, or None before the first step."""
        if self.started_at is None or self.heard_at is None or not self.done:
            return None
        seconds = (self.heard_at - self.started_at).total_seconds()
        return self.done / seconds if seconds > 0 else None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds from the last heartbeat to the end, at the rate so far; None when that is not known."""
        rate = self.per_second
        if rate is None or self.state is not JobState.RUNNING:
            return None
        return max(0, self.total - self.done) / rate


@dataclass(frozen=True, slots=True)
class Share:
    """The places that a principal has among the workers, and which jobs were last seen in them."""

    principal: str
    job_ids: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What one step of a job made. ``place`` is its number from 0, in digits that sort as text."""

    job_id: str
    place: str
    subject: str  # the id of what was made
    made_at: datetime

    @property
    def number(self) -> int:
        """Its number, from 0."""
        return int(self.place)
