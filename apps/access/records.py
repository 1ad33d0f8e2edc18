"""Programs that may call the API, what they may do, and how their keys are kept."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.audit.records import Actor, ActorKind
from apps.common.authenticated import Record


class Scope(StrEnum):
    """One thing that a caller may do."""

    SESSIONS_READ = "sessions:read"
    SESSIONS_GENERATE = "sessions:generate"
    DETECTIONS_READ = "detections:read"
    KEYS_READ = "keys:read"
    KEYS_MANAGE = "keys:manage"  # rotate, suspend, revoke, import; ask for what needs four eyes
    KEYS_APPROVE = "keys:approve"  # what someone else asked for
    SESSIONS_REVOKE = "sessions:revoke"
    FILES_READ = "files:read"
    FILES_WRITE = "files:write"
    FILES_DECRYPT = "files:decrypt"
    FILES_KEY = "files:key"  # is given the keys of single files, to encrypt and decrypt elsewhere
    MESSAGES_ENCRYPT = "messages:encrypt"
    MESSAGES_DECRYPT = "messages:decrypt"
    JOBS_READ = "jobs:read"
    JOBS_CANCEL = "jobs:cancel"
    AUDIT_READ = "audit:read"
    CLIENTS_MANAGE = "clients:manage"
    OWNERS_ALL = "owners:all"  # sees what others own


class Role(StrEnum):
    """Who gets which scopes."""

    VIEWER = "viewer"
    CLIENT = "client"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


_VIEWER = {
    Scope.SESSIONS_READ,
    Scope.DETECTIONS_READ,
    Scope.KEYS_READ,
    Scope.FILES_READ,
    Scope.JOBS_READ,
    Scope.OWNERS_ALL,
}
ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.VIEWER: frozenset(_VIEWER),
    Role.CLIENT: frozenset(
        {
            Scope.SESSIONS_READ,
            Scope.SESSIONS_GENERATE,
            Scope.DETECTIONS_READ,
            Scope.FILES_READ,
            Scope.FILES_WRITE,
            Scope.FILES_DECRYPT,
            Scope.FILES_KEY,
            Scope.MESSAGES_ENCRYPT,
            Scope.MESSAGES_DECRYPT,
            Scope.JOBS_READ,
            Scope.JOBS_CANCEL,
        }
    ),
    Role.OPERATOR: frozenset(
        {
            *_VIEWER,
            Scope.SESSIONS_GENERATE,
            Scope.SESSIONS_REVOKE,
            Scope.KEYS_MANAGE,
            Scope.KEYS_APPROVE,
            Scope.JOBS_CANCEL,
        }
    ),
    Role.AUDITOR: frozenset({*_VIEWER, Scope.AUDIT_READ}),
    Role.ADMINISTRATOR: frozenset(Scope),
}


class ClientStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApiClient(Record):
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
        return ROLE_SCOPES[self.role]

    def actor(self, source_ip: str) -> Actor:
        """The client as the one who acts."""
        return Actor(ActorKind.CLIENT, self.client_id, source_ip, sees_all=Scope.OWNERS_ALL in self.scopes)
