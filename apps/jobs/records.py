"""Long work: what is to be done, how far it is, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobKind(StrEnum):
    """What a job does."""

    GENERATE_SESSIONS = "generate_sessions"
    ENCRYPT_UPLOAD = "encrypt_upload"
    REWRAP_FILES = "rewrap_files"
    REENCRYPT_FILES = "reencrypt_files"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of long work. ``done`` of ``total`` steps; ``results`` are ids of what was made."""

    job_id: str
    kind: JobKind
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
    heard_at: datetime | None = None  # last sign of its worker, where work is not repeated by steps
    cancel_requested: bool = False

    @property
    def per_second(self) -> float | None:
        """Steps a second from the start to the last sign, or None before the first."""
        if self.started_at is None or self.heard_at is None or not self.done:
            return None
        seconds = (self.heard_at - self.started_at).total_seconds()
        return self.done / seconds if seconds > 0 else None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds from the last sign to the end, at the rate so far; None when that is not known."""
        rate = self.per_second
        if rate is None or self.state is not JobState.RUNNING:
            return None
        return max(0, self.total - self.done) / rate
