"""Who did what to which key, when, from where, with what outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ActorKind(StrEnum):
    """What acts: a person in the console, a program with an API key, the platform itself."""

    USER = "user"
    CLIENT = "client"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks for an operation. ``sees_all`` lifts the restriction to own records."""

    kind: ActorKind
    id: str
    source_ip: str = ""
    sees_all: bool = False

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    def may_see(self, owner: str) -> bool:
        """Whether a record of ``owner`` exists for this actor."""
        return self.sees_all or owner == str(self)


def system(component: str) -> Actor:
    """The platform acting by itself: an event, a schedule, a job."""
    return Actor(ActorKind.SYSTEM, component, sees_all=True)


class Event(StrEnum):
    """Everything that is recorded."""

    SESSION_GENERATED = "session.generated"
    SESSION_READY = "session.ready"
    SESSION_COMPROMISED = "session.compromised"
    SESSION_ABORTED = "session.aborted"
    SESSION_REVOKED = "session.revoked"
    STOCK_LOW = "stock.low"
    QUANTUM_KEY_RESERVED = "quantum_key.reserved"
    QUANTUM_KEY_DISCARDED = "quantum_key.discarded"
    POOL_KEY_CREATED = "pool_key.created"
    POOL_KEY_IMPORTED = "pool_key.imported"
    POOL_KEY_ACTIVATED = "pool_key.activated"
    POOL_KEY_SUSPENDED = "pool_key.suspended"
    POOL_KEY_RESUMED = "pool_key.resumed"
    POOL_KEY_ROTATION_QUEUED = "pool_key.rotation_queued"
    POOL_KEY_EXPIRED = "pool_key.expired"
    POOL_KEY_REVOKED = "pool_key.revoked"
    POOL_KEY_EXPORTED = "pool_key.exported"
    POOL_KEY_DESTRUCTION_SCHEDULED = "pool_key.destruction_scheduled"
    POOL_KEY_DESTRUCTION_CANCELLED = "pool_key.destruction_cancelled"
    POOL_KEY_DESTROYED = "pool_key.destroyed"
    POOL_MINIMUM_RAISED = "pool.minimum_raised"
    ROTATION_STARTED = "rotation.started"
    ROTATION_TARGETED = "rotation.targeted"
    ROTATION_DONE = "rotation.done"
    SECRET_REWRAPPED = "secret.rewrapped"  # noqa: S105 - an event's name
    SECRET_RECOVERED = "secret.recovered"  # noqa: S105 - likewise
    SECRET_SEALED = "secret.sealed"  # noqa: S105 - likewise
    ROOT_KEY_MADE = "root_key.made"
    ROOT_KEY_RETIRED = "root_key.retired"
    RECOVERY_KEY_MADE = "recovery_key.made"
    RECOVERY_CHECKED = "recovery.checked"
    RECOVERY_USED = "recovery.used"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_GIVEN = "approval.given"
    APPROVAL_REFUSED = "approval.refused"
    APPROVAL_USED = "approval.used"
    FILE_REGISTERED = "file.registered"
    FILE_ENCRYPTED = "file.encrypted"
    FILE_REJECTED = "file.rejected"
    FILE_ENCRYPTION_CANCELLED = "file.encryption_cancelled"
    FILE_REWRAPPED = "file.rewrapped"
    FILE_REENCRYPTED = "file.reencrypted"
    FILE_READ = "file.read"
    FILE_DELETED = "file.deleted"
    FILE_RESTORED = "file.restored"
    FILE_SHREDDED = "file.shredded"
    FILE_REPLACED = "file.replaced"
    FILE_ARCHIVED = "file.archived"
    FILE_RECALLED = "file.recalled"
    FILE_KEY_RELEASED = "file.key_released"
    BODY_REMOVED = "body.removed"
    MESSAGE_ENCRYPTED = "message.encrypted"
    MESSAGE_READ = "message.read"
    CLIENT_ISSUED = "client.issued"
    CLIENT_REVOKED = "client.revoked"
    JOB_QUEUED = "job.queued"
    JOB_CANCELLED = "job.cancelled"
    ACCESS_DENIED = "access.denied"
    AUDIT_VERIFIED = "audit.verified"
    DEAD_LETTERS_REDRIVEN = "dead_letters.redriven"


class Outcome(StrEnum):
    """How it ended."""

    OK = "ok"
    DENIED = "denied"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of a chain: ``hash`` covers every other field and the hash before it."""

    chain: str
    sequence: int
    timestamp: datetime
    event: Event
    outcome: Outcome
    actor: str
    source_ip: str
    key_id: str | None
    session_id: str | None
    file_id: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)
    previous_hash: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends; ``seal`` is a MAC over the other fields."""

    chain: str
    sequence: int
    hash: str
    seal: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What verification found wrong, and where."""

    chain: str
    sequence: int
    what: str

    def __str__(self) -> str:
        return f"chain {self.chain}, entry {self.sequence}: {self.what}"
