"""Long work: what is to be done, how far it is, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.common import clock
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
    Transition("resend", JobState.FAILED, JobState.QUEUED),
)
SILENT_SECONDS = 300  # without a heartbeat: the worker is gone


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

    def transition(self, name: str) -> Transition | None:
        """The table's transition of this name from the job's state, if there is one."""
        for one in TRANSITIONS:
            if one.name == name and one.source is self.state:
                return one
        return None

    @property
    def is_alive(self) -> bool:
        """Return whether a worker is at it, going by its heartbeat."""
        heard = self.heard_at is not None and self.heard_at > clock.ago(SILENT_SECONDS)
        return heard and self.state is JobState.RUNNING

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
