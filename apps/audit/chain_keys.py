"""The keys of the trail's hashes: the current one makes them, the previous ones still verify (E7).

An entry names the key of its hash. A previous key has to stay for as long as there are entries under it.
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

from django.conf import settings


@dataclass(frozen=True, slots=True)
class AuditKey:
    """A key, with the id that entries and heads name it by."""

    key_id: str
    secret: bytes = field(repr=False)
    text: bytes = field(repr=False)  # as configured: entries of format 0 were hashed under it


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The key that hashes, and all that verify, by their ids and newest first."""

    current: AuditKey
    accepted: dict[str, AuditKey]


def as_key(text: str) -> AuditKey:
    """Return the key that a setting holds."""
    secret = hashlib.sha256(b"qkdplatform audit key v1|" + text.encode()).digest()
    return AuditKey(hashlib.sha256(b"id|" + secret).hexdigest()[:8], secret, text.encode())


@lru_cache(maxsize=8)
def as_ring(*texts: str) -> KeyRing:
    """Return the ring of a current key and its predecessors."""
    keys = [as_key(text) for text in texts]
    return KeyRing(keys[0], {key.key_id: key for key in keys})


def ring() -> KeyRing:
    """Return the configured keys."""
    return as_ring(settings.AUDIT_KEY, *settings.AUDIT_KEY_PREVIOUS)
