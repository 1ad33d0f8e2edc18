"""Sessions of quantum key distribution, and the quantum keys cut from what they yield."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings

from apps.audit.records import Actor, ActorKind
from apps.common.authenticated import Record
from apps.common.errors import NotFound, Refused, Unavailable

KEY_BYTES = settings.QUANTUM_KEY_BITS // 8


class SessionNotFound(NotFound):
    """No such session, or another's."""


class SessionUnusable(Refused):
    """The session's key cannot be used: it is not ready, compromised, used up, too short or damaged."""


class StockEmpty(Unavailable):
    """No quantum key is ready; sessions are being run."""


class SessionStatus(StrEnum):
    """``pending`` until the detector has judged; only a ``ready`` session's key can be used."""

    PENDING = "pending"
    READY = "ready"
    ABORTED = "aborted"  # judged clean or not, it left no secret bits
    STUDY = "study"  # judged clean, but somebody knows more than the bound allows: its key was never kept
    COMPROMISED = "compromised"
    REVOKED = "revoked"  # was ready; nothing more is taken, what was taken opens what it encrypted


@dataclass(frozen=True, slots=True)
class Session(Record):
    """A session as it is kept: without bases and raw bits. Its final key is a ``FinalKey``."""

    session_id: str
    timestamp: datetime
    status: SessionStatus
    owner: str
    link: str
    key_length: int
    parameters: Mapping[str, Any]
    expected_qber: float
    estimated_qber: float
    qber_low: float
    qber_high: float
    counts: Mapping[str, int]
    ledger: Mapping[str, Any]
    sifted_key_length: int
    corrected_key_length: int
    final_key_length: int
    secret: bool
    reason_code: str | None
    reason: str | None
    duration_ms: float
    ttl: int | None = None
    keys_total: int = 0
    keys_taken: int = 0
    judged_at: datetime | None = None
    used_up: bool = False  # its last key is taken; earlier ones that failures left are not looked for

    @property
    def is_platforms(self) -> bool:
        """Return whether the platform ran it for itself: only such sessions fill its stock."""
        return is_platform(self.owner)

    @property
    def gives_keys(self) -> bool:
        """Return whether quantum keys can be taken from it. A study never gives any."""
        return self.status is SessionStatus.READY and self.secret


def is_platform(owner: str) -> bool:
    """Return whether an owner is the platform itself."""
    return owner.startswith(f"{ActorKind.SYSTEM}:")


@dataclass(frozen=True, slots=True)
class FinalKey(Record):
    """A session's final key as it rests: wrapped under the root key, and sealed for recovery if that is configured.

    Up to 180 KB, so it is not part of the session, which every quantum key that is taken writes again.
    """

    session_id: str
    timestamp: datetime
    final_key_length: int
    root_key_id: str
    encrypted_final_key: str = field(repr=False)
    recovery_seal: bytes | None = field(default=None, repr=False)
    commitment: str = ""  # to the final key; a recovery seal is held against it
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """A session's final key in memory, with what was read and checked to open it."""

    session: Session
    final_tag: str
    key: bytes = field(repr=False)


class StockChoice(StrEnum):
    """Whose sessions give a quantum key, where none is named."""

    PLATFORM = "platform"
    OWN = "own"

    def owner_for(self, actor: Actor) -> str | None:
        """Return whose sessions give the key that an actor asks for; None for the platform's."""
        return str(actor) if self is StockChoice.OWN else None


class KeyPurpose(StrEnum):
    """What a quantum key was taken for."""

    FILE = "file"
    MESSAGE = "message"


class QuantumKeyState(StrEnum):
    """A ``reserved`` key becomes ``used`` with the record that needs it, or ``discarded``. It is never free again."""

    RESERVED = "reserved"
    USED = "used"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class QuantumKey(Record):
    """One key taken from a session: the ``number``-th piece of its final key."""

    key_id: str
    session_id: str
    number: int
    state: QuantumKeyState
    purpose: KeyPurpose
    subject: str
    taken_by: str
    taken_at: datetime
    sealed_by: str | None = None  # of a message: the pool key that its package is sealed to


@dataclass(frozen=True, slots=True)
class StockedSession:
    """A ready session with quantum keys left, as the stock's index has it: a moment old."""

    session_id: str
    link: str
    keys_taken: int
    keys_total: int

    @property
    def keys_left(self) -> int:
        """Quantum keys that nobody seems to have taken."""
        return self.keys_total - self.keys_taken


@dataclass(frozen=True, slots=True)
class Offer:
    """A piece of a ready session's final key that nobody seems to have taken yet.

    Attributes:
        session_id: whose piece.
        number: of the piece.
        last: no piece follows.
        first: none of the session's pieces seemed to be taken.
        session_tag: of the session's row as it was read; taking demands it.
        final_tag: likewise, of its final key's.
        key: the piece itself, of exactly ``KEY_BYTES``.

    Raises:
        ValueError: the key has another length. HMAC pads with zeros: two lengths would be one key.
    """

    session_id: str
    number: int
    last: bool
    first: bool
    session_tag: str
    final_tag: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"A quantum key has {KEY_BYTES} bytes.")

    @property
    def key_id(self) -> str:
        """The id that packages carry."""
        return f"{self.session_id}.{self.number}"
