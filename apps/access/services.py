"""API keys: issued once, checked on each call, revoked at once.

A key is ``client_id.secret`` with a 256-bit random secret. Kept is HMAC-SHA-256(pepper, key): a slow
password hash would protect a guessable secret, which this is not (docs/decisions).
"""

import hashlib
import hmac
import secrets

from django.conf import settings

from apps.access import store
from apps.access.records import ApiClient, ClientStatus
from apps.access.roles import Role
from apps.access.store import ClientTable
from apps.access.trail import ClientEvent
from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound, Refused, Unauthenticated

CACHE_SECONDS = 30.0  # a revoked key is refused everywhere after at most this long
CACHE_ITEMS = 1024
_REFUSED = "The API key is not valid."


# Clients seen lately, so that not every call reads the table.
_known = TimedCache[ApiClient](max_items=CACHE_ITEMS, ttl_seconds=CACHE_SECONDS)


def _hash(key: str) -> str:
    return hmac.new(settings.API_KEY_PEPPER.encode(), key.encode(), hashlib.sha256).hexdigest()


def issue(*, name: str, role: Role, actor: Actor) -> tuple[ApiClient, str]:
    """Make a client and its key. The key is returned here and never again."""
    client_id = f"qk{secrets.token_hex(8)}"
    key = f"{client_id}.{secrets.token_urlsafe(32)}"
    client = ApiClient(
        client_id=client_id,
        name=name,
        role=role,
        status=ClientStatus.ACTIVE,
        secret_hash=_hash(key),
        created_at=clock.now(),
        created_by=str(actor),
    )
    with transaction(actor) as tx:
        tx.put(ClientTable.of(client))
        tx.audit(ClientEvent.ISSUED, client_id=client_id, name=name, role=role.value)
    return client, key


def authenticate(key: str) -> ApiClient:
    """Return the client whose key this is.

    Raises:
        Unauthenticated: malformed, unknown, wrong or revoked; the answer does not say which.
    """
    client_id, dot, secret = key.partition(".")
    if not (dot and secret and client_id.isascii() and client_id.isalnum() and len(key) <= 256):
        raise Unauthenticated(_REFUSED)
    client = _known.get(client_id, lambda: _check_key(ClientTable.find(client_id), key))
    return _check_key(client, key)  # what is known is the client, not that this key is theirs


def _check_key(client: ApiClient | None, key: str) -> ApiClient:
    if client is None or client.status is not ClientStatus.ACTIVE:
        raise Unauthenticated(_REFUSED)
    if not hmac.compare_digest(client.secret_hash, _hash(key)):
        raise Unauthenticated(_REFUSED)
    return client


def find(client_id: str) -> ApiClient:
    """Read one client.

    Raises:
        NotFound: no such client.
    """
    client = ClientTable.find(client_id)
    if client is None:
        raise NotFound(f"There is no API client {client_id!r}.")
    return client


def revoke(client_id: str, *, actor: Actor) -> None:
    """Refuse the client's key for good; other processes know within CACHE_SECONDS.

    Raises:
        NotFound: no such client.
        Refused: it is revoked already.
    """
    client = find(client_id)
    with transaction(actor) as tx:
        tx.update(
            ClientTable.of(client),
            [ClientTable.status.set(ClientStatus.REVOKED)],
            condition=ClientTable.status == ClientStatus.ACTIVE,
            otherwise=Refused(
                "The client is already revoked. Its key is refused everywhere within 30 seconds."
            ),
        )
        tx.audit(ClientEvent.REVOKED, client_id=client_id, name=client.name)
    _known.forget(client_id)


def clients_page(*, limit: int, position: Position | None = None) -> Page[ApiClient]:
    """Read a page of all clients, newest first."""
    return store.clients_page(limit=limit, position=position)
