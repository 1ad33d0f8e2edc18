"""The recovery seal: every wrapped secret also sealed to an offline public key (C12), if one is configured.

    seal = recovery key id (8) || HPKE-Seal(X-Wing public key, secret, info = label || canonical context)

The context is that of the wrapping, so a seal opens for its own record only. The public key comes from the
settings and not from a table: an attacker who can write the tables could put their own key in its place.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.common.errors import Refused
from apps.common.root_keys.interface import canonical_context
from qkdseal import kem
from qkdseal.kem import Suite

SUITE = Suite.XWING
ID_SIZE = 8
_LABEL = b"qkdplatform recovery seal v1"


def public_key() -> bytes | None:
    """The configured recovery public key, or None.

    Raises:
        ImproperlyConfigured: the setting is not one.
    """
    return _key_in(settings.RECOVERY_PUBLIC_KEY) if settings.RECOVERY_PUBLIC_KEY else None


@lru_cache(maxsize=4)
def _key_in(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
        kem.check_public_key(key, suite=SUITE)
    except (binascii.Error, ValueError) as error:
        raise ImproperlyConfigured(
            "RECOVERY_PUBLIC_KEY is not what `manage.py recovery make` printed."
        ) from error
    return key


def id_of(key: bytes) -> str:
    """Names a recovery key in seals, approvals and the trail."""
    return hashlib.sha256(_LABEL + key).digest()[:ID_SIZE].hex()


def seal(secret: bytes, *, context: Mapping[str, str]) -> bytes | None:
    """Seal a secret to the recovery key; None where none is configured."""
    key = public_key()
    if key is None:
        return None
    return bytes.fromhex(id_of(key)) + kem.seal_secret(
        secret, suite=SUITE, public_key=key, info=_info(context)
    )


def require_seal(secret: bytes, *, context: Mapping[str, str]) -> bytes:
    """Seal a secret to the recovery key, which there has to be.

    Raises:
        Refused: none is configured.
    """
    made = seal(secret, context=context)
    if made is None:
        raise Refused("No recovery key is configured: RECOVERY_PUBLIC_KEY is empty.")
    return made


def key_id_of(seal: bytes) -> str:
    """The id of the recovery key that a seal is to."""
    return seal[:ID_SIZE].hex()


def is_current(seal: bytes | None) -> bool:
    """Return whether a seal is to the configured recovery key."""
    key = public_key()
    return seal is not None and key is not None and key_id_of(seal) == id_of(key)


def open_seal(seal: bytes, *, seed: bytes, context: Mapping[str, str]) -> bytes:
    """The secret in a seal, by the private half of the recovery key.

    Raises:
        OpenFailed: another recovery key or context, or a changed seal.
    """
    if key_id_of(seal) != id_of(kem.public_key_of(seed, suite=SUITE)):
        raise kem.OpenFailed
    return kem.open_secret(seal[ID_SIZE:], suite=SUITE, seed=seed, info=_info(context))


def _info(context: Mapping[str, str]) -> bytes:
    return _LABEL + b"\x00" + canonical_context(context)
