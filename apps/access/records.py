"""Programs that may call the API, what they may do, and how their keys are kept."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.access.roles import Role, Scope, scopes_of
from apps.access.scopes import AccessScope
from apps.audit.records import Actor, ActorKind


class ClientStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A program and its key. The key is ``client_id.secret``; only a keyed hash of it is kept."""

    client_id: str
    name: str
    role: Role
    status: ClientStatus
    secret_hash: str
    created_at: datetime
    created_by: str

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the client may do."""
        return scopes_of(self.role)

    def actor(self, source_ip: str) -> Actor:
        """The client as the one who acts."""
        return Actor(
            ActorKind.CLIENT, self.client_id, source_ip, sees_all=AccessScope.OWNERS_ALL in self.scopes
        )
