"""Sessions of quantum key distribution, and the quantum keys cut from what they yield."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from apps.common.errors import NotFound, Refused, Unavailable


class SessionNotFound(NotFound):
    """No such session, or another's."""


class SessionUnusable(Refused):
    """The session's key may not be used: not ready, compromised, used up, or too short."""


class StockEmpty(Unavailable):
    """No quantum key is ready; sessions are being run."""


class SessionStatus(StrEnum):
    """``pending`` until the detector has judged; only a ``ready`` session's key can be used."""

    PENDING = "pending"
    READY = "ready"
    ABORTED = "aborted"  # judged clean or not, it left no secret bits
    COMPROMISED = "compromised"
    REVOKED = "revoked"  # was ready; nothing more is taken, what was taken opens what it encrypted


@dataclass(frozen=True, slots=True)
class Counts:
    """Bits of known error per basis: what the detector judges by."""

    n_rect: int
    errors_rect: int
    n_diag: int
    errors_diag: int


@dataclass(frozen=True, slots=True)
class Session:
    """What is kept of a session. Bases and raw bits are not; its final key is a ``FinalKey``."""

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


@dataclass(frozen=True, slots=True)
class FinalKey:
    """A session's final key as it rests: wrapped under the root key, and sealed for recovery if that is configured.

    Up to 180 KB, so it is not part of the session, which every quantum key that is taken writes again.
    """

    session_id: str
    timestamp: datetime
    final_key_length: int
    root_key_id: str
    encrypted_final_key: str = field(repr=False)
    recovery_seal: bytes | None = field(default=None, repr=False)
    ttl: int | None = None


class KeyPurpose(StrEnum):
    """What a quantum key was taken for."""

    FILE = "file"
    MESSAGE = "message"


class QuantumKeyState(StrEnum):
    """``reserved`` keys become ``used`` with the record that needs them, or ``discarded``; never free again."""

    RESERVED = "reserved"
    USED = "used"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class QuantumKey:
    """One key taken from a session: the ``number``-th piece of its final key."""

    key_id: str
    session_id: str
    number: int
    state: QuantumKeyState
    purpose: KeyPurpose
    subject: str
    taken_by: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """A piece of a ready session's final key that nobody seems to have taken yet."""

    session_id: str
    number: int
    last: bool
    first: bool  # none of the session's keys seems to be taken yet
    key: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """The id that packages carry."""
        return f"{self.session_id}.{self.number}"
