"""Secrets of second factors at rest: AES-256-GCM under a key that is derived from METADATA_KEY.

They stand in the relational database, which anybody may read who keeps its backups. Not the root key: a sign-in would
cost a call to KMS, and a change of the root key would have to visit a database that custody does not know.
"""

import base64
import binascii
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from apps.common.errors import Refused

PREFIX = "sealed1:"
NONCE_BYTES = 12
_CONTEXT = b"second factor"


class Unopenable(Refused):
    """A sealed secret does not open: another key, or changed."""


def seal(secret: str) -> str:
    """Return a secret as it may be stored."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(_key(settings.METADATA_KEY)).encrypt(nonce, secret.encode(), _CONTEXT)
    return PREFIX + base64.b64encode(sealed).decode()


def open_sealed(text: str) -> str:
    """Return the secret in what ``seal`` made, also under a key before.

    Raises:
        Unopenable: another key, changed, or never sealed.
    """
    try:
        sealed = (
            base64.b64decode(text.removeprefix(PREFIX), validate=True) if text.startswith(PREFIX) else b""
        )
    except binascii.Error:
        sealed = b""
    nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    for key in (settings.METADATA_KEY, *settings.METADATA_KEY_PREVIOUS) if body else ():
        try:
            return AESGCM(_key(key)).decrypt(nonce, body, _CONTEXT).decode()
        except InvalidTag:
            continue
    raise Unopenable("A second factor's secret does not open. An administrator can remove the factor.")


@lru_cache(maxsize=8)
def _key(text: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"qkdplatform second factors v1").derive(
        text.encode()
    )
