"""Pool keys, the states they pass through (NIST SP 800-57 part 1, section 7), and what replaces them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from apps.audit.records import Event
from apps.common.authenticated import Record
from apps.common.errors import NotFound, Refused
from apps.keys.pool_records import DEFAULT_POOL
from apps.keys.trail import PoolKeyEvent
from qkdseal.kem import Suite


class KeyNotFound(NotFound):
    """No such pool key."""


class IllegalTransition(Refused):
    """The key's state does not allow the transition."""


class KeyUnusable(Refused):
    """The key cannot be used: its state, its version or what is stored forbids it (C3)."""


class KeyState(StrEnum):
    """The product's names; SP 800-57's in the comments."""

    PRE_ACTIVE = "pre_active"  # imported, not in use yet
    ACTIVE = "active"
    SUSPENDED = "suspended"  # neither seals nor opens until it is resumed; files can be moved off it
    ROTATION_QUEUED = "rotation_queued"  # deactivating: opens, no longer seals
    EXPIRED = "expired"  # deactivated: no file needs it any more
    REVOKED = "revoked"  # compromised: opens until its files are re-wrapped, never seals again
    DESTROYED = "destroyed"

    @property
    def label(self) -> str:
        """The state in words, for sentences and pages."""
        return LABELS.get(self, self.value)


LABELS = {KeyState.PRE_ACTIVE: "pre-active", KeyState.ROTATION_QUEUED: "rotating"}

IN_USE = frozenset({KeyState.ACTIVE, KeyState.SUSPENDED})  # seals, or did until it was suspended
OPENS = frozenset({KeyState.ACTIVE, KeyState.ROTATION_QUEUED, KeyState.EXPIRED, KeyState.REVOKED})
REWRAPS = OPENS | {KeyState.SUSPENDED}  # a file can be moved off the key
ROTATED = frozenset({KeyState.ROTATION_QUEUED, KeyState.REVOKED})  # its files are to be moved off


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow of the state diagram."""

    name: str
    source: KeyState
    target: KeyState
    event: Event

    @property
    def opens_rotation(self) -> bool:
        """Return whether the key may have sealed files, which are to move to another key from now on."""
        return self.source in IN_USE and self.target in ROTATED


# The only place that says what a key may become; checks, diagram and console are made from it.
TRANSITIONS: tuple[Transition, ...] = (
    Transition("activate", KeyState.PRE_ACTIVE, KeyState.ACTIVE, PoolKeyEvent.ACTIVATED),
    Transition("revoke", KeyState.PRE_ACTIVE, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Transition("destroy", KeyState.PRE_ACTIVE, KeyState.DESTROYED, PoolKeyEvent.DESTROYED),
    Transition("suspend", KeyState.ACTIVE, KeyState.SUSPENDED, PoolKeyEvent.SUSPENDED),
    Transition("queue_rotation", KeyState.ACTIVE, KeyState.ROTATION_QUEUED, PoolKeyEvent.ROTATION_QUEUED),
    Transition("revoke", KeyState.ACTIVE, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Transition("resume", KeyState.SUSPENDED, KeyState.ACTIVE, PoolKeyEvent.RESUMED),
    Transition("queue_rotation", KeyState.SUSPENDED, KeyState.ROTATION_QUEUED, PoolKeyEvent.ROTATION_QUEUED),
    Transition("revoke", KeyState.SUSPENDED, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Transition("expire", KeyState.ROTATION_QUEUED, KeyState.EXPIRED, PoolKeyEvent.EXPIRED),
    Transition("revoke", KeyState.ROTATION_QUEUED, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Transition("revoke", KeyState.EXPIRED, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Transition("destroy", KeyState.EXPIRED, KeyState.DESTROYED, PoolKeyEvent.DESTROYED),
    Transition("destroy", KeyState.REVOKED, KeyState.DESTROYED, PoolKeyEvent.DESTROYED),
)
TARGETS: dict[KeyState, frozenset[KeyState]] = {
    state: frozenset(one.target for one in TRANSITIONS if one.source is state) for state in KeyState
}


@dataclass(frozen=True, slots=True)
class PoolKey(Record):
    """A KEM key pair of the pool; the private seed only as the root key wrapped it."""

    key_id: str
    suite: Suite
    state: KeyState
    public_key: bytes
    wrapped_seed: bytes | None = field(repr=False)  # None once destroyed
    root_key_id: str
    created_at: datetime
    usage: int = 0  # as last counted from its slots, like the two of the same kind below
    last_used_at: datetime | None = None
    changed_at: datetime | None = None
    reason: str = ""
    version: int = 1  # grows as the pool's minimum is raised
    messages: int = 0  # of the uses, those for packages that clients keep
    imported: bool = False
    destroy_after: datetime | None = None  # until then the destruction can be cancelled
    recovery_seal: bytes | None = field(default=None, repr=False)
    commitment: str = ""  # to the seed; a recovery seal is held against it
    pool: str = DEFAULT_POOL

    def transition(self, name: str) -> Transition:
        """The transition of this name from the key's state.

        Raises:
            IllegalTransition: there is none.
        """
        possible = {one.name: one for one in TRANSITIONS if one.source is self.state}
        if name not in possible:
            raise IllegalTransition(_refusal(self, name, list(possible)))
        return possible[name]


class SlotState(StrEnum):
    """Nothing is sealed by a ``closed`` slot: its key was taken out of use."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class KeySlot(Record):
    """A place from which a process seals to a pool key, and where it counts that."""

    key_id: str
    number: int
    state: SlotState
    uses: int = 0
    messages: int = 0
    last_used_at: datetime | None = None


# What a transition does to a key, as sentences say it.
PARTICIPLES = {
    "activate": "activated",
    "suspend": "suspended",
    "resume": "resumed",
    "queue_rotation": "rotated",
    "revoke": "revoked",
    "expire": "expired",
    "destroy": "destroyed",
}


def _refusal(key: PoolKey, name: str, possible: list[str]) -> str:
    ways = " or ".join(", ".join(PARTICIPLES[one] for one in possible).rsplit(", ", 1))
    advice = f"It can be {ways}." if possible else "This is permanent."
    return f"{key.key_id} is {key.state.label} and cannot be {PARTICIPLES[name]}. {advice}"


class RotationStatus(StrEnum):
    """``open`` until no file needs the old key any more."""

    OPEN = "open"
    DONE = "done"


class RotationNotFound(NotFound):
    """No such rotation."""


class RotationChanged(Refused):
    """Someone else worked on the rotation at the same moment; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A known text, wrapped under a root key."""

    root_key_id: str
    wrapped: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Rotation(Record):
    """The replacement of one key by another, and the job that moves the files (C6). The id is made from the old key's."""

    rotation_id: str
    old_key_id: str
    status: RotationStatus
    reason: str
    started_at: datetime
    started_by: str
    new_key_id: str | None = None  # chosen when the re-wrapping starts, and again should it be rotated itself
    changed_at: datetime | None = None
    ended_at: datetime | None = None
    job_id: str | None = None


def rotation_id_of(key_id: str) -> str:
    """The id of a key's rotation: made from the key's, as a key is replaced once."""
    return f"rot-{key_id}"
