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
    QUANTUM_KEY_RESERVED = "quantum_key.reserved"
    QUANTUM_KEY_DISCARDED = "quantum_key.discarded"
    POOL_KEY_CREATED = "pool_key.created"
    POOL_KEY_ROTATION_QUEUED = "pool_key.rotation_queued"
    POOL_KEY_REVOKED = "pool_key.revoked"
    FILE_REGISTERED = "file.registered"
    FILE_ENCRYPTED = "file.encrypted"
    FILE_REJECTED = "file.rejected"
    FILE_READ = "file.read"
    FILE_DELETED = "file.deleted"
    FILE_RESTORED = "file.restored"
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
