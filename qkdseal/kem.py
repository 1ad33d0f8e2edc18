"""Pool key pairs: a post-quantum KEM inside HPKE (RFC 9180), sealing one small secret to a public key.

Suites:
    X-Wing (draft-connolly-cfrg-xwing-kem, HPKE KEM id 0x647A): ML-KEM-768 joined with X25519; stays safe
    while either of the two does. The default.
    ML-KEM-768 (FIPS 203, HPKE KEM id 0x0041): for policies that allow no classical part.
Both with HKDF-SHA512 and AES-256-GCM, base mode, one message per encapsulation.

The private form is the *seed*, 32 bytes for X-Wing and 64 bytes (d || z) for ML-KEM-768: the only form that
the drafts and FIPS 203 let one store and import, and what the root key wraps. ML-KEM answers a foreign
ciphertext of the right length with an unrelated secret (implicit rejection); AES-256-GCM finds that here.
"""

import os
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256, shake_256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

MLKEM768_PUBLIC_SIZE = 1184
MLKEM768_SEED_SIZE = 64
MLKEM768_EXPANDED_SIZE = 2400
MLKEM768_CIPHERTEXT_SIZE = 1088
X25519_SIZE = 32
TAG_SIZE = 16


class OpenFailed(Exception):
    """The sealed secret does not open: not for this key or info, or it was changed."""


class Suite(StrEnum):
    """What a pool key pair is made of; the value is the suite id in packages and records."""

    XWING = "xwing-hkdf-sha512-aes256gcm"
    MLKEM768 = "mlkem768-hkdf-sha512-aes256gcm"

    @property
    def seed_size(self) -> int:
        """Bytes of the private seed."""
        return {Suite.XWING: 32, Suite.MLKEM768: MLKEM768_SEED_SIZE}[self]

    @property
    def public_size(self) -> int:
        """Bytes of the public key."""
        return MLKEM768_PUBLIC_SIZE + (X25519_SIZE if self is Suite.XWING else 0)

    @property
    def encapsulation_size(self) -> int:
        """Bytes of the KEM ciphertext that a sealed secret starts with."""
        return {Suite.XWING: 1120, Suite.MLKEM768: 1088}[self]

    def sealed_size(self, secret_size: int) -> int:
        """Bytes of a sealed secret of ``secret_size`` bytes."""
        return self.encapsulation_size + secret_size + TAG_SIZE


DEFAULT_SUITE = Suite.XWING

_HPKE = {
    suite: hpke.Suite(kem, hpke.KDF.HKDF_SHA512, hpke.AEAD.AES_256_GCM)
    for suite, kem in ((Suite.XWING, hpke.KEM.MLKEM768_X25519), (Suite.MLKEM768, hpke.KEM.MLKEM768))
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A pool key pair; ``seed`` is secret and never shown by repr."""

    suite: Suite
    seed: bytes = field(repr=False)
    public_key: bytes = field(repr=False)


def generate(suite: Suite = DEFAULT_SUITE) -> KeyPair:
    """A fresh pair from the operating system's random source."""
    seed = os.urandom(suite.seed_size)
    return KeyPair(suite, seed, public_of(suite, seed))


def public_of(suite: Suite, seed: bytes) -> bytes:
    """The public key that belongs to a seed, ``suite.public_size`` bytes.

    Raises:
        ValueError: the seed has the wrong length for the suite.
    """
    if suite is Suite.MLKEM768:
        return _mlkem_private(_checked_seed(suite, seed)).public_key().public_bytes_raw()
    mlkem_key, x25519_key = _xwing_parts(_checked_seed(suite, seed))
    return mlkem_key.public_key().public_bytes_raw() + x25519_key.public_key().public_bytes_raw()


def fingerprint(public_key: bytes) -> str:
    """SHA-256 of a public key in hex: names it to people."""
    return sha256(public_key).hexdigest()


def seal(suite: Suite, public_key: bytes, secret: bytes, info: bytes) -> bytes:
    """Seal a secret to a public key by single-shot HPKE.

    Args:
        suite: of the public key.
        public_key: ``suite.public_size`` bytes.
        secret: what only the holder of the seed shall read.
        info: what the secret is for; opening needs the same bytes.

    Returns:
        KEM ciphertext || AES-256-GCM ciphertext || tag: ``suite.sealed_size(len(secret))`` bytes.

    Raises:
        ValueError: the public key has the wrong length, or is not one (FIPS 203 section 7.2 check).
    """
    return _HPKE[suite].encrypt(secret, _hpke_public(suite, public_key), info)


def open_sealed(suite: Suite, seed: bytes, sealed: bytes, info: bytes) -> bytes:
    """Open what ``seal`` sealed.

    Raises:
        ValueError: the seed has the wrong length for the suite.
        OpenFailed: another key, another info, or changed, cut or extended bytes; it does not say which.
    """
    private_key = _hpke_private(suite, _checked_seed(suite, seed))
    if len(sealed) < suite.sealed_size(0):
        raise OpenFailed
    try:
        return _HPKE[suite].decrypt(sealed, private_key, info)
    except (InvalidTag, ValueError):
        raise OpenFailed from None


def encapsulate(public_key: bytes) -> tuple[bytes, bytes]:
    """A fresh shared secret (32 bytes) and its KEM ciphertext, by ML-KEM-768 alone.

    Raises:
        ValueError: the public key has the wrong length, or is not one.
    """
    if len(public_key) != MLKEM768_PUBLIC_SIZE:
        raise ValueError(
            f"an ML-KEM-768 public key has {MLKEM768_PUBLIC_SIZE} bytes, this has {len(public_key)}"
        )
    secret, ciphertext = MLKEM768PublicKey.from_public_bytes(public_key).encapsulate()
    return secret, ciphertext


def decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """The shared secret of a KEM ciphertext; of a foreign one an unrelated secret (implicit rejection).

    Raises:
        ValueError: the seed or the ciphertext has the wrong length.
    """
    return _mlkem_private(_checked_seed(Suite.MLKEM768, seed)).decapsulate(ciphertext)


def _checked_seed(suite: Suite, seed: bytes) -> bytes:
    if len(seed) == suite.seed_size:
        return seed
    if len(seed) == MLKEM768_EXPANDED_SIZE:
        raise ValueError(
            f"this is an expanded ML-KEM-768 decapsulation key ({MLKEM768_EXPANDED_SIZE} bytes): its seed "
            f"cannot be recovered from it, so it cannot be imported; "
            f"give the {suite.seed_size}-byte seed that it was generated from"
        )
    raise ValueError(f"a {suite} seed has {suite.seed_size} bytes, this has {len(seed)}")


def _mlkem_private(seed: bytes) -> MLKEM768PrivateKey:
    return MLKEM768PrivateKey.from_seed_bytes(seed)


def _xwing_parts(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    """Expand a 32-byte seed (draft-connolly-cfrg-xwing-kem, expandDecapsulationKey)."""
    expanded = shake_256(seed).digest(MLKEM768_SEED_SIZE + X25519_SIZE)
    return (
        _mlkem_private(expanded[:MLKEM768_SEED_SIZE]),
        X25519PrivateKey.from_private_bytes(expanded[MLKEM768_SEED_SIZE:]),
    )


def _hpke_private(suite: Suite, seed: bytes) -> MLKEM768PrivateKey | hpke.MLKEM768X25519PrivateKey:
    if suite is Suite.MLKEM768:
        return _mlkem_private(seed)
    return hpke.MLKEM768X25519PrivateKey(*_xwing_parts(seed))


def _hpke_public(suite: Suite, public_key: bytes) -> MLKEM768PublicKey | hpke.MLKEM768X25519PublicKey:
    if len(public_key) != suite.public_size:
        raise ValueError(f"a {suite} public key has {suite.public_size} bytes, this has {len(public_key)}")
    mlkem_key = MLKEM768PublicKey.from_public_bytes(public_key[:MLKEM768_PUBLIC_SIZE])
    if suite is Suite.MLKEM768:
        return mlkem_key
    return hpke.MLKEM768X25519PublicKey(
        mlkem_key, X25519PublicKey.from_public_bytes(public_key[MLKEM768_PUBLIC_SIZE:])
    )
