"""JWTs of an OpenID Connect pool: verified, and mapped to principals by their claims (E3).

Accepted are access tokens alone: signed RS256 by a key that the issuer publishes, from this issuer, not expired, with
the right ``token_use`` and a client of the list (a Cognito access token carries no ``aud``). A token acts for

- ``service:<client>`` where a client signed in by itself (its subject is the client),
- ``user:<subject>`` where a person did.

Where there is a principal of that id, its record says the role and whether it is disabled. Where there is none, the
groups of the pool give a role by ``JWT_ROLES``, or the token is refused; such a caller holds nothing that decides about
others (``principals.rights_of``). In either case the token's scopes limit what it may do, and ``JWT_GROUPS`` adds groups.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from apps.access import limits
from apps.access.known import callers
from apps.access.records import Caller, Principal, PrincipalKind, PrincipalStatus, Token
from apps.access.roles import Role
from apps.access.store import PrincipalTable
from apps.common import clock
from apps.common.errors import Unauthenticated, Unavailable

if TYPE_CHECKING:
    import jwt

ALGORITHM = "RS256"
LEEWAY_SECONDS = 30  # clocks of issuer and platform
COOL_DOWN_SECONDS = 30.0  # between looks for keys that nobody published, and after a look that failed
ANSWER_SECONDS = 3.0  # of the issuer, for its keys
TOKEN_LIMIT = 8192  # characters
_REFUSED = "The token is not valid."


@dataclass(slots=True)
class Keys:
    """The issuer's signing keys."""

    client: "jwt.PyJWKClient"
    failed_at: float = -COOL_DOWN_SECONDS

    def of(self, token: str) -> Any:
        """The key that signed a token.

        Raises:
            jwt.PyJWTError: the issuer publishes no such key.
            Unavailable: the issuer does not answer; it is not asked again for a while.
        """
        import jwt  # noqa: PLC0415 - with its cryptography, only for callers with tokens

        if time.monotonic() - self.failed_at < COOL_DOWN_SECONDS:
            raise Unavailable("The issuer of tokens does not answer. Try again, or use an API key.")
        try:
            return self.client.get_signing_key_from_jwt(token).key
        except jwt.PyJWKClientConnectionError as error:
            self.failed_at = time.monotonic()
            raise Unavailable(
                "The issuer of tokens does not answer. Try again, or use an API key."
            ) from error


def is_configured() -> bool:
    """Return whether tokens are accepted at all."""
    return bool(settings.JWT_ISSUER and settings.JWT_CLIENT_IDS)


@cache
def keys(url: str) -> Keys:
    """The keys at an address; fetched again every five minutes, and for an unknown one after the cool-down."""
    import jwt  # noqa: PLC0415 - likewise

    return Keys(
        jwt.PyJWKClient(url, timeout=ANSWER_SECONDS, lifespan=300, cooldown_duration=COOL_DOWN_SECONDS)
    )


def authenticate(token: str, *, source_ip: str) -> Caller:
    """Who calls with this token.

    Raises:
        Unauthenticated: malformed, of another issuer or client, expired, or its principal is disabled or unknown; the
            answer does not say which.
        Unavailable: the issuer's keys cannot be had now.
    """
    if len(token) > TOKEN_LIMIT:
        raise Unauthenticated(_REFUSED)
    name = f"jwt:{hashlib.sha256(token.encode()).hexdigest()[:32]}"
    caller = callers.get(name, lambda: _first_seen(token, name, source_ip))
    if caller.key.expires_at is None or caller.key.expires_at <= clock.now():
        raise Unauthenticated(_REFUSED)
    return caller


def _first_seen(token: str, name: str, source_ip: str) -> Caller:
    limits.check_source(source_ip)
    return _caller(_verified(token), name)


def _verified(token: str) -> Mapping[str, Any]:
    import jwt  # noqa: PLC0415 - likewise

    url = settings.JWT_JWKS_URL or f"{settings.JWT_ISSUER.rstrip('/')}/.well-known/jwks.json"
    try:
        if jwt.get_unverified_header(token).get("alg") != ALGORITHM:  # before anybody is asked for keys
            raise Unauthenticated(_REFUSED)
        claims: dict[str, Any] = jwt.decode(
            token,
            keys(url).of(token),
            algorithms=[ALGORITHM],
            issuer=settings.JWT_ISSUER,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "sub"], "verify_aud": False},
        )
    except jwt.PyJWTError:
        raise Unauthenticated(_REFUSED) from None
    use = settings.JWT_TOKEN_USE
    if claims.get(settings.JWT_CLIENT_CLAIM) not in settings.JWT_CLIENT_IDS or (
        use and claims.get("token_use") != use
    ):
        raise Unauthenticated(_REFUSED)
    return claims


def _caller(claims: Mapping[str, Any], name: str) -> Caller:
    client, subject = str(claims[settings.JWT_CLIENT_CLAIM]), str(claims["sub"])
    kind = PrincipalKind.SERVICE if subject == client else PrincipalKind.PERSON
    groups = [str(group) for group in _words(claims.get(settings.JWT_GROUPS_CLAIM))]
    principal = PrincipalTable.find(f"{kind}:{subject}") or _mapped(kind, subject, claims, groups)
    if not principal.active:
        raise Unauthenticated(_REFUSED)
    added = {str(settings.JWT_GROUPS[group]) for group in groups if group in settings.JWT_GROUPS}
    token = Token(
        key_id=name,
        name=client,
        scopes=_scopes(claims),
        expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
    )
    return Caller(replace(principal, groups=tuple(sorted({*principal.groups, *added}))), token)


def _mapped(kind: PrincipalKind, subject: str, claims: Mapping[str, Any], groups: list[str]) -> Principal:
    """A principal that only the pool knows, with the first role that its groups give."""
    roles = [settings.JWT_ROLES[group] for group in groups if group in settings.JWT_ROLES]
    if not roles:
        raise Unauthenticated(_REFUSED)
    return Principal(
        principal_id=f"{kind}:{subject}",
        kind=kind,
        name=str(claims.get("username", subject)),
        role=Role(roles[0]),
        status=PrincipalStatus.ACTIVE,
        created_at=datetime.fromtimestamp(int(claims["iat"]), UTC),
        created_by=settings.JWT_ISSUER,
    )


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    prefix = settings.JWT_SCOPE_PREFIX
    return tuple(
        scope.removeprefix(prefix) for scope in _words(claims.get("scope")) if scope.startswith(prefix)
    )


def _words(claim: object) -> list[str]:
    """A claim that lists words: a text with spaces, or an array."""
    return (
        claim.split()
        if isinstance(claim, str)
        else [str(one) for one in claim]
        if isinstance(claim, list)
        else []
    )
