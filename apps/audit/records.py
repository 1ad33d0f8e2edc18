"""Who did what to which key, when, from where, with what outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.common.authenticated import Record
from apps.common.declarations import Declared


class ActorKind(StrEnum):
    """What acts: a person, a service, the platform itself."""

    USER = "user"
    SERVICE = "service"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks for an operation. ``sees_all``: people, the platform, and callers with the scope owners:all."""

    kind: ActorKind
    id: str
    source_ip: str = ""
    sees_all: bool = False
    groups: frozenset[str] = frozenset()  # ids of the groups it belongs to, as "group:<id>"
    via: str = ""  # the API key it showed, or the token
    scopes: frozenset[str] | None = None  # what that is limited to; None: whatever the principal may

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    def may_see(self, owner: str) -> bool:
        """Return whether the actor may see the records of ``owner``: its own, its groups', or all."""
        return self.sees_all or owner == str(self) or owner in self.groups


def system(component: str) -> Actor:
    """Return the platform as the one who acts: in an event, a schedule, a job."""
    return Actor(ActorKind.SYSTEM, component, sees_all=True)


SWEEPER = system("sweeper")  # what runs on a schedule


class Event(Declared):
    """Something that is recorded. Each app declares its own in its ``trail.py``; docs/events.md lists them all."""


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
    event: str  # an Event when written; read back, it may be one of a release before or after this
    outcome: Outcome
    actor: str
    source_ip: str
    via: str | None  # the API key that was shown
    key_id: str | None
    session_id: str | None
    file_id: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)  # new tags of the rows that the transaction wrote
    previous_hash: str = ""
    hash: str = ""
    format: int = 0  # of the hash; 0 is that of entries that state none
    hashed_under: str = ""  # names the audit key of the hash


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends; ``seal`` is a MAC over the other fields."""

    chain: str
    sequence: int
    hash: str
    seal: str
    timestamp: str = ""  # of the last entry, as it is stored


@dataclass(frozen=True, slots=True)
class Problem:
    """What verification found wrong, and where."""

    chain: str
    sequence: int
    what: str

    def __str__(self) -> str:
        return f"chain {self.chain}, entry {self.sequence}: {self.what}"


@dataclass(frozen=True, slots=True)
class Signer(Record):
    """A key pair that signs checkpoints; ``wrapped_seed`` is its private half under the root key, or empty.

    It is empty for a key of KMS, which ``root_key_id`` then names.
    """

    place: str  # there is one
    signer_id: str
    public_key: bytes
    wrapped_seed: bytes = field(repr=False)
    root_key_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Archived(Record):
    """Up to where a chain's entries lie in the archive and no longer in the table."""

    place: str  # there is one
    chain: str
    through: int  # the number of the last such entry
    hash: str
    timestamp: str  # of that entry, as it was stored
