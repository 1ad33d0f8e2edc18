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


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self in {JobState.SUCCEEDED, JobState.FAILED}


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
