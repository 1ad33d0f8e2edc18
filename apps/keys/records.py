"""Pool keys and the states they pass through (NIST SP 800-57 part 1, section 7)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from apps.common.errors import NotFound, Refused
from apps.keys.kem import Suite


class KeyNotFound(NotFound):
    """No such pool key."""


class IllegalTransition(Refused):
    """The key's state does not allow the move."""


class KeyUnusable(Refused):
    """The key failed validation before use (C3)."""


class KeyState(StrEnum):
    """The product's names; SP 800-57's in the comments."""

    ACTIVE = "active"
    ROTATION_QUEUED = "rotation_queued"  # deactivating: opens, no longer seals
    EXPIRED = "expired"  # deactivated: no file needs it any more
    REVOKED = "revoked"  # compromised: opens only to re-wrap
    DESTROYED = "destroyed"


TRANSITIONS: dict[KeyState, frozenset[KeyState]] = {
    KeyState.ACTIVE: frozenset({KeyState.ROTATION_QUEUED, KeyState.REVOKED}),
    KeyState.ROTATION_QUEUED: frozenset({KeyState.EXPIRED, KeyState.REVOKED}),
    KeyState.EXPIRED: frozenset({KeyState.REVOKED, KeyState.DESTROYED}),
    KeyState.REVOKED: frozenset({KeyState.DESTROYED}),
    KeyState.DESTROYED: frozenset(),
}
OPENS = frozenset({KeyState.ACTIVE, KeyState.ROTATION_QUEUED, KeyState.EXPIRED, KeyState.REVOKED})


@dataclass(frozen=True, slots=True)
class PoolKey:
    """A KEM key pair of the pool; the private seed only as the root key wrapped it."""

    key_id: str
    suite: Suite
    state: KeyState
    public_key: bytes
    wrapped_seed: bytes = field(repr=False)
    root_key_id: str
    created_at: datetime
    usage: int = 0
    last_used_at: datetime | None = None
    changed_at: datetime | None = None
    reason: str = ""

    def check_move(self, target: KeyState) -> None:
        """Whether the table of transitions allows ``target``.

        Raises:
            IllegalTransition: it does not.
        """
        if target not in TRANSITIONS[self.state]:
            allowed = ", ".join(sorted(TRANSITIONS[self.state])) or "nothing"
            raise IllegalTransition(
                f"Key {self.key_id} is {self.state}; it can become {allowed}, not {target}."
            )
