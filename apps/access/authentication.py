"""``X-API-Key: key_id.secret``, or ``Authorization: Bearer`` with a JWT of the configured pool."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.access import api_keys, tokens
from apps.access.records import Caller
from apps.access.scopes import AccessScope
from apps.audit.records import Actor, ActorKind

HEADER = "X-API-Key"


class ApiKeyAuthentication(BaseAuthentication):
    """The principal that the key belongs to is the request's user."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        key = request.headers.get(HEADER)
        return (api_keys.authenticate(key, source_ip=address_of(request)), None) if key else None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return 'ApiKey realm="api"'


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI schema says of API keys."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002
        return {"type": "apiKey", "in": "header", "name": HEADER}


class BearerAuthentication(BaseAuthentication):
    """The principal that a JWT's claims name is the request's user."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not tokens.is_configured():
            return None
        return tokens.authenticate(token.strip(), source_ip=address_of(request)), None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return 'Bearer realm="api"'


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI schema says of JWTs."""

    target_class = BearerAuthentication
    name = "Bearer"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def address_of(request: Request) -> str:
    """From where a request comes: the address that the gateway saw, not what a header claims."""
    return str(request.META.get("REMOTE_ADDR", ""))


def caller_of(request: Request) -> Caller:
    """The authenticated principal, with the key it showed."""
    caller = request.user
    assert isinstance(caller, Caller)  # noqa: S101 - the permission class let it pass
    return caller


def actor_of(request: Request) -> Actor:
    """Who acts, and from where."""
    return as_actor(caller_of(request), source_ip=address_of(request))


def as_actor(caller: Caller, *, source_ip: str) -> Actor:
    """The principal as the one who acts."""
    principal = caller.principal
    return Actor(
        ActorKind(principal.kind.value),
        principal.id,
        source_ip,
        sees_all=AccessScope.OWNERS_ALL in caller.scopes,
        groups=frozenset(principal.groups),
        via=caller.key_id,
        scopes=None if caller.key.scopes is None else frozenset(caller.key.scopes),
    )
