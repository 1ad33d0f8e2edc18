"""Who acts: persons, services and their groups; the API keys they act with; what was granted to them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address, ip_network

from apps.access.roles import Role, Scope, scopes_of
from apps.common.authenticated import Record
from apps.common.errors import NotFound


class PrincipalNotFound(NotFound):
    """No such person, service or group."""


class KeyNotFound(NotFound):
    """No such API key."""


class PrincipalKind(StrEnum):
    """The part of a principal's id before the colon."""

    PERSON = "user"
    SERVICE = "service"
    GROUP = "group"


class PrincipalStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"  # acts no more; what it owns stays


@dataclass(frozen=True, slots=True)
class Principal(Record):
    """Somebody who acts or owns. What decides stands here, authenticated, and not in the relational database."""

    principal_id: str  # "user:<uuid>", "service:<id>" or "group:<id>"
    kind: PrincipalKind
    name: str
    role: Role
    status: PrincipalStatus
    created_at: datetime
    created_by: str
    groups: tuple[str, ...] = ()
    approver: bool = False  # may be the second person; persons only
    reason: str = ""  # why it was disabled
    quotas: Mapping[str, int] | None = None  # what it may use in a month; see apps.access.quotas

    @property
    def id(self) -> str:
        """The part after the colon."""
        return self.principal_id.partition(":")[2]

    @property
    def scopes(self) -> frozenset[Scope]:
        """What its role may do."""
        return scopes_of(self.role)

    @property
    def active(self) -> bool:
        """Return whether it may act."""
        return self.status is PrincipalStatus.ACTIVE


class KeyStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApiKey(Record):
    """A credential of a principal: ``key_id.secret``; only a keyed hash of it is kept."""

    key_id: str
    principal_id: str
    name: str
    status: KeyStatus
    secret_hash: str
    created_at: datetime
    created_by: str
    scopes: tuple[str, ...] | None = None  # fewer than the role's; None: all of them
    networks: tuple[str, ...] = ()  # from where it may be used; empty: from anywhere
    expires_at: datetime | None = None
    reason: str = ""  # why it was revoked
    last_used_at: datetime | None = None

    def admits(self, source_ip: str, moment: datetime) -> bool:
        """Return whether the key may be used from an address at a moment."""
        if self.status is not KeyStatus.ACTIVE or (self.expires_at is not None and self.expires_at <= moment):
            return False
        if not self.networks:
            return True
        try:
            address = ip_address(source_ip)
        except ValueError:
            return False
        return any(address in ip_network(network) for network in self.networks)


@dataclass(frozen=True, slots=True)
class Token:
    """A JWT of an OpenID Connect pool that was verified."""

    key_id: str  # as the trail names it: "jwt:<its id, or a hash of it>"
    name: str  # of the client that it was issued to
    scopes: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal and the credential it showed."""

    principal: Principal
    key: ApiKey | Token

    def __str__(self) -> str:
        return self.principal.principal_id

    @property
    def key_id(self) -> str:
        """Names the key."""
        return self.key.key_id

    @property
    def scopes(self) -> frozenset[Scope]:
        """What may be done with this credential: what the role allows, and no more than it is limited to."""
        return limited(self.principal.scopes, self.key.scopes)


ALWAYS = "access:self"


def limited(held: frozenset[Scope], limits: Collection[str] | None) -> frozenset[Scope]:
    """What is left of scopes for a credential that is limited to some; None: it is not limited."""
    if limits is None:
        return held
    return frozenset(scope for scope in held if scope.value in limits or scope.value == ALWAYS)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Requests counted in one minute; the row has a counter for each second beside."""

    bucket: str  # "<principal>|<scope>|<minute since the epoch>"
    used: int
    ttl: int


class Right(StrEnum):
    """What a grant allows; who may write may read."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Grant(Record):
    """Somebody may read or write what is another's, until a moment or for good."""

    grant_id: str  # "<grantee>|<object>": one for each pair
    grantee: str
    object: str  # "file:<id>", or "type:<owner>|<document type>"
    right: Right
    owner: str
    granted_at: datetime
    granted_by: str
    until: datetime | None = None

    def allows(self, right: Right, moment: datetime) -> bool:
        """Return whether the grant gives a right at a moment."""
        if self.until is not None and self.until <= moment:
            return False
        return self.right is Right.WRITE or right is Right.READ
