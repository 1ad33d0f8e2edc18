"""Approvals: what one person asks for and another allows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.common.authenticated import Record
from apps.common.errors import Forbidden, NotFound, Refused


class ApprovalNotFound(NotFound):
    """No such request."""


class NotApproved(Refused):
    """No second person allows it now: undecided, refused, used, expired, or for something else."""


class SamePerson(Forbidden):
    """The person who asks and the one who approves are the same, under whatever name."""


class Guarded(StrEnum):
    """Actions that need a second person."""

    DESTROY_KEY = "destroy_key"
    EXPORT_KEY = "export_key"
    EXPORT_QUANTUM_KEY = "export_quantum_key"
    ACTIVATE_KEY = "activate_key"
    RECOVER = "recover"


class ApprovalStatus(StrEnum):
    """``pending`` → ``approved`` → ``used``; or ``refused``, or ``withdrawn``. After ``expires_at`` the first two are void."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Approval(Record):
    """A request and its decision. Action, subject and parameters fix what it allows."""

    approval_id: str
    action: Guarded
    subject: str
    status: ApprovalStatus
    reason: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    decided_by: str | None = None
    decided_at: datetime | None = None
    used_at: datetime | None = None
