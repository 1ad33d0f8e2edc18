"""API keys: issued once for a principal, checked on each call, limited, rotated, revoked at once.

A key is ``key_id.secret`` with a 256-bit random secret. Kept is HMAC-SHA-256(pepper, key): a slow password hash
would protect a guessable secret, which this is not (docs/decisions). To rotate is to issue a second key, move over,
and revoke the first: two are valid meanwhile, and the principal keeps what it owns.
"""

import hashlib
import hmac
import logging
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from pynamodb.exceptions import PynamoDBException

from apps.access import limits, principals, refusals, store
from apps.access.known import callers
from apps.access.records import (
    ApiKey,
    Caller,
    KeyNotFound,
    KeyStatus,
    Principal,
    PrincipalKind,
)
from apps.access.roles import Role, all_scopes
from apps.access.store import ApiKeyTable, PrincipalTable
from apps.access.trail import ApiKeyEvent
from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, find_together
from apps.common.errors import Invalid, Refused, Unauthenticated
from apps.common.idempotency import keep

USED_SECONDS = 3600.0  # how exact "last used" is: one write a key and hour
_REFUSED = "The API key is not valid."
log = logging.getLogger(__name__)


def issue(
    principal_id: str,
    *,
    actor: Actor,
    name: str = "",
    scopes: Sequence[str] | None = None,
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key of a person or service. Its secret is returned here and never again.

    Raises:
        PrincipalNotFound: no such principal.
        Invalid: a group has no keys; an unknown scope, a malformed network, or an end that is past.
        Forbidden: the principal holds more than the actor.
    """
    principal = principals.find(principal_id)
    if principal.kind is PrincipalKind.GROUP:
        raise Invalid.of("principal", "A group has no keys; issue one for a member.")
    principals.check_may_change(principal, actor)
    key_id = new_key_id(principal)
    secret = f"{key_id}.{secrets.token_urlsafe(32)}"
    made = ApiKey(
        key_id=key_id,
        principal_id=principal_id,
        name=name,
        status=KeyStatus.ACTIVE,
        secret_hash=_hash(secret),
        created_at=clock.now(),
        created_by=str(actor),
        scopes=_checked_scopes(scopes),
        networks=_checked_networks(networks),
        expires_at=_checked_end(expires_at),
    )
    row = ApiKeyTable.of(made)
    with transaction(actor) as tx:
        keep(tx, "api key", key_id=key_id)
        tx.put(row)
        tx.audit(ApiKeyEvent.ISSUED, principal=principal_id, api_key=key_id, name=name, **_limits(made))
    return row.record(), secret


def issue_for_service(name: str, *, role: Role, actor: Actor) -> tuple[Caller, str]:
    """A new service and its first key.

    Raises:
        Forbidden: the actor does not hold what the role allows.
    """
    service = principals.make_service(name, role=role, actor=actor)
    key, secret = issue(service.principal_id, actor=actor, name=name)
    return Caller(service, key), secret


def rotate(key_id: str, *, overlap: timedelta, actor: Actor) -> tuple[ApiKey, str]:
    """A second key with the limits of the first, which ends after the overlap.

    Raises:
        KeyNotFound: no such key.
        Refused: it is revoked, or has ended.
        Forbidden: its principal holds more than the actor.
    """
    before = find(key_id)
    moment = clock.now()
    if before.status is not KeyStatus.ACTIVE or (
        before.expires_at is not None and before.expires_at <= moment
    ):
        raise Refused(f"Key {key_id} is no longer valid. Issue a new one for its principal.")
    made = issue(
        before.principal_id,
        actor=actor,
        name=before.name,
        scopes=before.scopes,
        networks=before.networks,
        expires_at=before.expires_at,
    )
    ends = moment + overlap
    _replace(
        replace(before, expires_at=min(before.expires_at or ends, ends)),
        actor,
        ApiKeyEvent.ROTATED,
        successor=made[0].key_id,
    )
    return made


def limit(
    key_id: str,
    *,
    actor: Actor,
    scopes: Sequence[str] | None = None,
    networks: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> ApiKey:
    """Set what a key may do, from where, or until when; what is not given stays. It never allows more than the role.

    Raises:
        KeyNotFound: no such key.
        Invalid: an unknown scope, a malformed network, or an end that is past.
        Forbidden: its principal holds more than the actor.
    """
    before = find(key_id)
    principals.check_may_change(principals.find(before.principal_id), actor)
    return _replace(
        replace(
            before,
            scopes=before.scopes if scopes is None else _checked_scopes(scopes),
            networks=before.networks if networks is None else _checked_networks(networks),
            expires_at=before.expires_at if expires_at is None else _checked_end(expires_at),
        ),
        actor,
    )


def revoke(key_id: str, *, reason: str, actor: Actor) -> ApiKey:
    """Refuse a key from now on (elsewhere within CACHE_SECONDS). Whoever may revoke may revoke anybody's: it only takes away.

    Raises:
        KeyNotFound: no such key.
        Refused: it is revoked already.
    """
    before = find(key_id)
    if before.status is KeyStatus.REVOKED:
        raise Refused(f"Key {key_id} is revoked already.")
    row = ApiKeyTable.of(replace(before, status=KeyStatus.REVOKED, reason=reason))
    with transaction(actor) as tx:
        tx.replace(row, otherwise=Refused(f"Key {key_id} was changed by someone else meanwhile. Try again."))
        tx.audit(ApiKeyEvent.REVOKED, principal=before.principal_id, api_key=key_id, reason=reason)
    callers.forget(key_id)
    return row.record()


def authenticate(secret: str, *, source_ip: str) -> Caller:
    """Who calls with this key from this address.

    Raises:
        Unauthenticated: malformed, unknown, wrong, revoked, expired, from elsewhere, or its principal is disabled;
            the answer does not say which.
    """
    refusals.keys.tell()
    key_id = _key_id_in(secret)
    try:
        return _authenticated(key_id, secret, source_ip)
    except Unauthenticated:
        refusals.keys.note(source_ip, api_key=key_id)
        raise


def _key_id_in(secret: str) -> str:
    """The id of a key, which is no secret; empty where what was sent cannot be a key."""
    key_id, dot, rest = secret.partition(".")
    is_key = dot and rest and key_id.isascii() and key_id.isalnum() and len(secret) <= 256
    return key_id if is_key else ""


def _authenticated(key_id: str, secret: str, source_ip: str) -> Caller:
    if not key_id:
        raise Unauthenticated(_REFUSED)
    # A wrong secret is compared with a cached key, and caches none that was not there
    caller = callers.get(key_id, lambda: _first_seen(key_id, secret, source_ip))
    shown = caller.key
    if (
        not isinstance(shown, ApiKey)
        or not _matches(shown, secret)
        or not shown.admits(source_ip, clock.now())
    ):
        raise Unauthenticated(_REFUSED)
    return caller


def _first_seen(key_id: str, secret: str, source_ip: str) -> Caller:
    limits.check_source(
        source_ip
    )  # who is known in memory is not looked up, and never waits for others' failures
    return _proven(key_id, secret)


def find(key_id: str) -> ApiKey:
    """One key, read consistently.

    Raises:
        KeyNotFound: no such key.
    """
    found = ApiKeyTable.find(key_id)
    if found is None:
        raise KeyNotFound(f"There is no API key {key_id!r}.")
    return found


def keys_page(
    *, limit: int, position: Position | None = None, principal_id: str | None = None
) -> Page[ApiKey]:
    """Keys, or those of one principal, newest first."""
    return store.keys_page(limit=limit, position=position, principal_id=principal_id)


def _hash(secret: str, pepper: str | None = None) -> str:
    under = settings.API_KEY_PEPPER if pepper is None else pepper
    return hmac.new(under.encode(), secret.encode(), hashlib.sha256).hexdigest()


def _matches(key: ApiKey, secret: str) -> bool:
    peppers = (settings.API_KEY_PEPPER, *settings.API_KEY_PEPPER_PREVIOUS)
    return any(hmac.compare_digest(key.secret_hash, _hash(secret, pepper)) for pepper in peppers)


def _proven(key_id: str, secret: str) -> Caller:
    """Read who holds a key, if this is its secret: who guesses ids must not push known keys out of memory.

    One BatchGetItem: the id of a key holds that of its principal.
    """
    key, principal = find_together((ApiKeyTable, key_id), (PrincipalTable, _principal_id_in(key_id)))
    if key is None or principal is None or key.principal_id != principal.principal_id:
        raise Unauthenticated(_REFUSED)
    if key.status is not KeyStatus.ACTIVE or not principal.active or not _matches(key, secret):
        raise Unauthenticated(_REFUSED)
    if key.last_used_at is None or key.last_used_at < clock.ago(USED_SECONDS):
        _note_use(key)
    return Caller(principal, key)


def new_key_id(principal: Principal) -> str:
    """Make the id of a key that holds its principal's id: ``qk<s|u><principal id, hex><8 hex digits>``."""
    kind = "u" if principal.kind is PrincipalKind.PERSON else "s"
    return f"qk{kind}{principal.id.replace('-', '')}{secrets.token_hex(4)}"


def _principal_id_in(key_id: str) -> str:
    identifier = key_id[3:-8]
    if key_id[2:3] != "u":
        return f"{PrincipalKind.SERVICE}:{identifier}"
    try:
        return f"{PrincipalKind.PERSON}:{uuid.UUID(identifier)}"
    except ValueError:
        raise Unauthenticated(_REFUSED) from None


def _note_use(key: ApiKey) -> None:
    """Write when a key was used; a call does not fail because of it."""
    row = ApiKeyTable.of(key)
    try:
        row.update([ApiKeyTable.last_used_at.set(clock.now())], condition=ApiKeyTable.key_id.exists())
    except PynamoDBException as error:
        log.warning("the last use of key %s was not written: %s", key.key_id, type(error).__name__)


def _replace(after: ApiKey, actor: Actor, event: ApiKeyEvent = ApiKeyEvent.LIMITED, **detail: Any) -> ApiKey:
    row = ApiKeyTable.of(after)
    with transaction(actor) as tx:
        tx.replace(
            row, otherwise=Refused(f"Key {after.key_id} was changed by someone else meanwhile. Try again.")
        )
        tx.audit(event, principal=after.principal_id, api_key=after.key_id, **_limits(after), **detail)
    callers.forget(after.key_id)
    return row.record()


def _limits(key: ApiKey) -> dict[str, Any]:
    return {
        "scopes": None if key.scopes is None else list(key.scopes),
        "networks": list(key.networks),
        "expires_at": None if key.expires_at is None else clock.as_text(key.expires_at),
    }


def _checked_scopes(scopes: Sequence[str] | None) -> tuple[str, ...] | None:
    if scopes is None:
        return None
    unknown = sorted(set(scopes) - set(all_scopes()))
    if unknown:
        raise Invalid.of("scopes", f"There is no scope {unknown[0]!r}.")
    return tuple(sorted(set(scopes)))


def _checked_networks(networks: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted({str(ip_network(network)) for network in networks}))
    except ValueError as error:
        raise Invalid.of("networks", f"Networks look like 192.0.2.0/24: {error}.") from None


def _checked_end(moment: datetime | None) -> datetime | None:
    if moment is not None and moment <= clock.now():
        raise Invalid.of("expires_at", "The end has to be in the future.")
    return moment
