"""API keys in the header ``X-API-Key: client_id.secret``."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.access import services
from apps.access.records import ApiClient
from apps.access.scopes import AccessScope
from apps.audit.records import Actor, ActorKind

HEADER = "X-API-Key"


class ApiKeyAuthentication(BaseAuthentication):
    """Makes the client whose key was sent the request's user."""

    def authenticate(self, request: Request) -> tuple[ApiClient, None] | None:
        key = request.headers.get(HEADER)
        return (services.authenticate(key), None) if key else None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return 'ApiKey realm="api"'


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI schema says of API keys."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002
        return {"type": "apiKey", "in": "header", "name": HEADER}


def client_of(request: Request) -> ApiClient:
    """Return the authenticated client."""
    client = request.user
    assert isinstance(client, ApiClient)  # noqa: S101 - the permission class let it pass
    return client


def actor_of(request: Request) -> Actor:
    """Return who acts, and from where: the address that the gateway saw, not what a header claims."""
    return as_actor(client_of(request), source_ip=str(request.META.get("REMOTE_ADDR", "")))


def as_actor(client: ApiClient, *, source_ip: str) -> Actor:
    """Return a client as the one who acts."""
    sees_all = AccessScope.OWNERS_ALL in client.scopes
    return Actor(ActorKind.CLIENT, client.client_id, source_ip, sees_all=sees_all)
