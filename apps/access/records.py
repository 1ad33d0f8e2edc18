"""Programs that may call the API, what they may do, and how their keys are kept."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.access.roles import Role, Scope, scopes_of


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
        """The client's scopes, which its role gives."""
        return scopes_of(self.role)
