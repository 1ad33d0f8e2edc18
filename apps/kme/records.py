"""Applications that keys are delivered to (SAEs), and the keys that were delivered."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from apps.audit.records import Actor, ActorKind
from apps.common.authenticated import Record
from apps.common.errors import NotFound, PlatformError, Unavailable

ANY_PEER = "*"


class SaeNotFound(NotFound):
    """No such application."""


class NotAuthorised(PlatformError):
    """The certificate is nobody's, or its application may not do this. ETSI GS QKD 014 knows no 403."""

    status = 401
    type = "unauthenticated"
    title = "SAE not authorised"


class KeyNotFound(PlatformError):
    """The message is the standard's: why one of the keys is not there is told to nobody."""

    status = 400
    type = "invalid-input"
    title = "Key not found"


class QuotaUsedUp(Unavailable):
    """The application took as many keys as it may in a day."""

    retry_after_seconds = 3600


class SaeState(StrEnum):
    """A ``revoked`` application gets nothing any more, nor do others what it asked for."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Sae(Record):
    """An application that keys are delivered to: a principal that shows certificates.

    Its certificates are those with one of the ``fingerprints``; or, where there are none, all that the authority gave
    to its ``subject``, but for the ``revoked`` ones.
    """

    sae_id: str  # the common name of its certificates
    principal_id: str  # as which it acts in the trail
    name: str
    state: SaeState
    created_at: datetime
    created_by: str
    fingerprints: tuple[str, ...] = ()  # SHA-256 of the certificate, in hexadecimal
    subject: str | None = None  # as RFC 4514 writes it
    revoked: tuple[str, ...] = ()  # fingerprints that are not accepted any more
    peers: tuple[str, ...] = ()  # SAE ids that it may ask keys for; ANY_PEER for all
    keys_a_day: int | None = None  # that it may ask for; None: any number
    link: str | None = None  # over whose sessions its keys come; None: any of the platform's
    site: str | None = None  # the link to the other site, where it collects its keys; None: here
    reason: str | None = None
    changed_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Return whether keys are delivered to it."""
        return self.state is SaeState.ACTIVE

    def may_ask_for(self, sae_id: str) -> bool:
        """Return whether it may ask for keys that it shares with another application."""
        return ANY_PEER in self.peers or sae_id in self.peers

    def shows(self, certificate: "Certificate") -> bool:
        """Return whether a certificate is its own, and still counts."""
        if certificate.common_name != self.sae_id or certificate.fingerprint in self.revoked:
            return False
        if self.fingerprints:
            return certificate.fingerprint in self.fingerprints
        return self.subject is not None and certificate.subject == self.subject

    def as_actor(self, *, source_ip: str = "", via: str = "") -> Actor:
        """The application as the one who acts."""
        kind, _, identifier = self.principal_id.partition(":")
        return Actor(ActorKind(kind), identifier, source_ip, via=via)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is read from a certificate that TLS verified."""

    common_name: str
    subject: str
    fingerprint: str
    not_before: datetime
    not_after: datetime


class DeliveredState(StrEnum):
    """A ``waiting`` key becomes ``collected`` once every slave has it, ``handed_over`` to another site, or ``expired``."""

    WAITING = "waiting"
    COLLECTED = "collected"
    HANDED_OVER = "handed_over"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class DeliveredKey(Record):
    """A key that a master was given, for its slaves to collect. Its bits are not kept: the quantum keys have them."""

    key_id: str
    master: str
    slaves: tuple[str, ...]
    size: int  # in bits
    pieces: tuple[str, ...]  # ids of the quantum keys that it is put together from
    state: DeliveredState
    issued_at: datetime
    expires_at: datetime
    collected_by: tuple[str, ...] = ()
    ttl: int | None = None

    def awaits(self, sae_id: str, *, master: str, moment: datetime) -> bool:
        """Return whether it is there for an application to collect as a slave of a master."""
        return (
            self.state is DeliveredState.WAITING
            and self.master == master
            and sae_id in self.slaves
            and sae_id not in self.collected_by
            and moment < self.expires_at
        )

    @property
    def sessions(self) -> set[str]:
        """The sessions that its quantum keys come from."""
        return {piece.rpartition(".")[0] for piece in self.pieces}


@dataclass(frozen=True, slots=True)
class GivenKey:
    """A key in memory, on its way to an application."""

    key_id: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReceivedMark(Record):
    """What a key that came in leaves behind, so that it never comes in again: its id, or an HMAC of its bits."""

    mark: str
    link: str
    session_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """How many keys an application asked for in a day."""

    usage_id: str  # "<sae>|<day>"
    used: int = 0
    ttl: int | None = None
