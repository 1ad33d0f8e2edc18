"""Pool keys, the states they pass through (NIST SP 800-57 part 1, section 7), and what replaces them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from apps.audit.records import Event
from apps.common.errors import NotFound, Refused
from apps.keys.trail import PoolKeyEvent
from qkdseal.kem import Suite


class KeyNotFound(NotFound):
    """No such pool key."""


class IllegalTransition(Refused):
    """The key's state does not allow the move."""


class KeyUnusable(Refused):
    """The key failed validation before use (C3)."""


DEFAULT_POOL = "default"


class Purpose(StrEnum):
    """What a pool key is picked for."""

    FILES = "files"
    MESSAGES = "messages"


class KeyState(StrEnum):
    """The product's names; SP 800-57's in the comments."""

    PRE_ACTIVE = "pre_active"  # imported, not in use yet
    ACTIVE = "active"
    SUSPENDED = "suspended"  # neither seals nor opens until it is resumed; files can be moved off it
    ROTATION_QUEUED = "rotation_queued"  # deactivating: opens, no longer seals
    EXPIRED = "expired"  # deactivated: no file needs it any more
    REVOKED = "revoked"  # compromised: opens until its files are re-wrapped, never seals again
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Move:
    """One arrow of the state diagram."""

    name: str
    source: KeyState
    target: KeyState
    event: Event


# The only place that says what a key may become; checks, diagram and console are made from it.
MOVES: tuple[Move, ...] = (
    Move("activate", KeyState.PRE_ACTIVE, KeyState.ACTIVE, PoolKeyEvent.ACTIVATED),
    Move("revoke", KeyState.PRE_ACTIVE, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Move("destroy", KeyState.PRE_ACTIVE, KeyState.DESTROYED, PoolKeyEvent.DESTROYED),
    Move("suspend", KeyState.ACTIVE, KeyState.SUSPENDED, PoolKeyEvent.SUSPENDED),
    Move("queue_rotation", KeyState.ACTIVE, KeyState.ROTATION_QUEUED, PoolKeyEvent.ROTATION_QUEUED),
    Move("revoke", KeyState.ACTIVE, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Move("resume", KeyState.SUSPENDED, KeyState.ACTIVE, PoolKeyEvent.RESUMED),
    Move("queue_rotation", KeyState.SUSPENDED, KeyState.ROTATION_QUEUED, PoolKeyEvent.ROTATION_QUEUED),
    Move("revoke", KeyState.SUSPENDED, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Move("expire", KeyState.ROTATION_QUEUED, KeyState.EXPIRED, PoolKeyEvent.EXPIRED),
    Move("revoke", KeyState.ROTATION_QUEUED, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Move("revoke", KeyState.EXPIRED, KeyState.REVOKED, PoolKeyEvent.REVOKED),
    Move("destroy", KeyState.EXPIRED, KeyState.DESTROYED, PoolKeyEvent.DESTROYED),
    Move("destroy", KeyState.REVOKED, KeyState.DESTROYED, PoolKeyEvent.DESTROYED),
)
TRANSITIONS: dict[KeyState, frozenset[KeyState]] = {
    state: frozenset(move.target for move in MOVES if move.source is state) for state in KeyState
}
OPENS = frozenset({KeyState.ACTIVE, KeyState.ROTATION_QUEUED, KeyState.EXPIRED, KeyState.REVOKED})
REWRAPS = OPENS | {KeyState.SUSPENDED}  # a file can be moved off the key
ROTATED = frozenset({KeyState.ROTATION_QUEUED, KeyState.REVOKED})  # its files are to be moved off


@dataclass(frozen=True, slots=True)
class PoolKey:
    """A KEM key pair of the pool; the private seed only as the root key wrapped it."""

    key_id: str
    suite: Suite
    state: KeyState
    public_key: bytes
    wrapped_seed: bytes | None = field(repr=False)  # None once destroyed
    root_key_id: str
    created_at: datetime
    usage: int = 0
    last_used_at: datetime | None = None
    changed_at: datetime | None = None
    reason: str = ""
    version: int = 1  # grows with each rotation of the pool; see the policy's minimum
    messages: int = 0  # of the uses, those for packages that clients keep
    imported: bool = False
    destroy_after: datetime | None = None  # until then the destruction can be cancelled
    recovery_seal: bytes | None = field(default=None, repr=False)
    pool: str = DEFAULT_POOL

    def move(self, name: str) -> Move:
        """The table's move of this name from the key's state.

        Raises:
            IllegalTransition: there is none.
        """
        for move in MOVES:
            if move.name == name and move.source is self.state:
                return move
        names = ", ".join(move.name for move in MOVES if move.source is self.state) or "nothing"
        raise IllegalTransition(f"Key {self.key_id} is {self.state}: possible is {names}, not {name}.")


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for the whole pool: the version of new keys, and the lowest that may still open."""

    pool: str
    current: int = 1
    minimum: int = 1


class RotationStatus(StrEnum):
    """``open`` until no file needs the old key any more."""

    OPEN = "open"
    DONE = "done"


class RotationNotFound(NotFound):
    """No such rotation."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What replaces a key, and how far its files are (C6). The id is made from the old key's."""

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
    """A key is replaced once; asking again finds the same rotation."""
    return f"rot-{key_id}"
