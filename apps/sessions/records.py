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


class SessionDamaged(SessionUnusable):
    """What is kept as the session's key does not unwrap, or is not its key."""


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


class SiteState(StrEnum):
    """Of a session that another site of the platform has the other end of: it is ``held`` until both may use it."""

    HELD = "held"
    AGREED = "agreed"


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
    keys_taken: int = 0  # of the blocks that are used up; ``blocks.counted`` counts the others too
    judged_at: datetime | None = None
    trace: str | None = None  # of the request that it was run for
    site: SiteState | None = None  # None: of this site alone

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

    Up to 180 KB, so it is not part of the session, whose row lists and transitions write again.
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
    DELIVERY = "delivery"  # to applications outside, by the key management entity


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


class BlockState(StrEnum):
    """A ``closed`` block gives no key, and none that is reserved is used: its session was revoked."""

    OPEN = "open"
    CLOSED = "closed"


FREE = "free"  # the lease of a block that was never leased


@dataclass(frozen=True, slots=True)
class KeyBlock(Record):
    """Consecutive quantum keys of a ready session, taken by one process at a time: the one that holds the lease."""

    block_id: str
    session_id: str
    first: int
    size: int
    stock: str  # the list that offers it, which says whom it serves
    link: str
    state: BlockState
    until: datetime  # nobody else takes from it before; who holds the lease renews it
    lease: str = FREE
    next: int = 0  # the first number that nobody has taken
    left: int = 0  # keys that were left when the lease last began or was renewed
    ttl: int | None = None  # the session's, until the block is leased

    @property
    def end(self) -> int:
        """The number after its last."""
        return self.first + self.size

    @property
    def is_used_up(self) -> bool:
        """Return whether every key of it was taken."""
        return self.next >= self.end

    @property
    def is_open(self) -> bool:
        """Return whether it has keys left that may be taken."""
        return self.state is BlockState.OPEN and not self.is_used_up


@dataclass(frozen=True, slots=True)
class StockLevel:
    """What was last measured of the stock over a link, and until when a session is being run because it is empty."""

    link: str
    measured_at: datetime | None = None
    ready: int = 0
    per_second: float = 0.0  # quantum keys taken
    claimed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedBlock:
    """A block with keys left, as the stock's index has it: a moment old, and its keys as they were when it was leased."""

    block_id: str
    session_id: str
    link: str
    left: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A piece of a ready session's final key that nobody has taken, in a block that this process holds or may lease.

    It may be widened to the pieces behind it in the same block: they are taken together, or none is.

    Attributes:
        block: whose next number it is, as it was read.
        lease: of this process; of another than the block's where this take begins it.
        until: when the lease ends, if this take begins or renews it.
        keeps: this take ends the time to live of the session and its final key.
        session_tag: of the session's row as it was read.
        final_tag: likewise, of its final key's.
        key: the piece itself, of exactly ``KEY_BYTES``.
        more: the pieces behind it that are taken with it.

    Raises:
        ValueError: the key has another length. HMAC pads with zeros: two lengths would be one key.
    """

    block: KeyBlock
    lease: str
    until: datetime | None
    keeps: bool
    session_tag: str
    final_tag: str
    key: bytes = field(repr=False)
    more: tuple[bytes, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if any(len(piece) != KEY_BYTES for piece in (self.key, *self.more)):
            raise ValueError(f"A quantum key has {KEY_BYTES} bytes.")

    @property
    def session_id(self) -> str:
        """Whose piece it is."""
        return self.block.session_id

    @property
    def number(self) -> int:
        """Its place in the session's final key."""
        return self.block.next

    @property
    def count(self) -> int:
        """How many pieces are offered together."""
        return 1 + len(self.more)

    @property
    def is_last(self) -> bool:
        """Return whether the block is used up by it."""
        return self.number + self.count == self.block.end

    @property
    def key_id(self) -> str:
        """The id that packages carry."""
        return f"{self.session_id}.{self.number}"

    @property
    def pieces(self) -> list[tuple[str, bytes]]:
        """The ids of all pieces that are offered together, each with its piece."""
        numbers = range(int(self.number), int(self.number) + self.count)
        return [
            (f"{self.session_id}.{number}", piece)
            for number, piece in zip(numbers, (self.key, *self.more), strict=True)
        ]
