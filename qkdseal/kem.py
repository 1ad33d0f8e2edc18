"""Pool key pairs: a post-quantum KEM inside HPKE (RFC 9180), sealing one small secret to a public key.

Suites:
    X-Wing (draft-connolly-cfrg-xwing-kem, HPKE KEM id 0x647A): ML-KEM-768 joined with X25519; stays safe
    while either of the two does. The default.
    ML-KEM-768 (FIPS 203, HPKE KEM id 0x0041): for policies that allow no classical part.
    ML-KEM-768 without HPKE, for the PQFile suite (``pqfile``) alone.
The first two with HKDF-SHA512 and AES-256-GCM, base mode, one message per encapsulation.

The private form is the *seed*, 32 bytes for X-Wing and 64 bytes (d || z) for ML-KEM-768: the only form that
the drafts and FIPS 203 let one store and import. ML-KEM answers a foreign ciphertext of the right length with
an unrelated secret (implicit rejection); AES-256-GCM finds that here.
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
    """The sealed secret does not open: it belongs to another key or info, or it was changed."""


class Suite(StrEnum):
    """What a key pair is made of; the value is the suite id in packages.

    >>> Suite.XWING.seed_size, Suite.XWING.public_size
    (32, 1216)
    """

    XWING = "xwing-hkdf-sha512-aes256gcm"
    MLKEM768 = "mlkem768-hkdf-sha512-aes256gcm"
    MLKEM768_RAW = (
        "mlkem768-raw"  # ML-KEM-768 without HPKE, for the PQFile suite only: its seeds serve nothing else
    )

    @property
    def seals(self) -> bool:
        """Return whether secrets can be sealed to keys of this suite."""
        return self is not Suite.MLKEM768_RAW

    @property
    def seed_size(self) -> int:
        """The size of the private seed in bytes."""
        return 32 if self is Suite.XWING else MLKEM768_SEED_SIZE

    @property
    def public_size(self) -> int:
        """The size of the public key in bytes."""
        return MLKEM768_PUBLIC_SIZE + (X25519_SIZE if self is Suite.XWING else 0)

    @property
    def encapsulation_size(self) -> int:
        """The size in bytes of the KEM ciphertext that a sealed secret starts with."""
        return MLKEM768_CIPHERTEXT_SIZE + (X25519_SIZE if self is Suite.XWING else 0)

    def sealed_size(self, secret_size: int) -> int:
        """The size in bytes of a sealed secret of ``secret_size`` bytes."""
        return self.encapsulation_size + secret_size + TAG_SIZE


DEFAULT_SUITE = Suite.XWING

_HPKE = {
    suite: hpke.Suite(kem, hpke.KDF.HKDF_SHA512, hpke.AEAD.AES_256_GCM)
    for suite, kem in ((Suite.XWING, hpke.KEM.MLKEM768_X25519), (Suite.MLKEM768, hpke.KEM.MLKEM768))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A key pair; ``seed`` is secret and never shown by repr.

    >>> KeyPair(suite=Suite.XWING, seed=bytes(32), public_key=public_key_of(bytes(32), suite=Suite.XWING))
    KeyPair(suite=<Suite.XWING: 'xwing-hkdf-sha512-aes256gcm'>)
    """

    suite: Suite
    seed: bytes = field(repr=False)
    public_key: bytes = field(repr=False)


def generate_key_pair(suite: Suite = DEFAULT_SUITE) -> KeyPair:
    """Draw a fresh key pair from the operating system's random source.

    >>> pair = generate_key_pair()
    >>> len(pair.seed), len(pair.public_key)
    (32, 1216)
    """
    seed = os.urandom(suite.seed_size)
    return KeyPair(suite=suite, seed=seed, public_key=public_key_of(seed, suite=suite))


def public_key_of(seed: bytes, *, suite: Suite) -> bytes:
    """The public key that belongs to a seed, ``suite.public_size`` bytes.

    >>> pair = generate_key_pair()
    >>> public_key_of(pair.seed, suite=pair.suite) == pair.public_key
    True

    Raises:
        ValueError: the seed has the wrong length for the suite.
    """
    _check_seed(seed, suite)
    if suite is not Suite.XWING:
        return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
    mlkem_key, x25519_key = _xwing_parts(seed)
    return mlkem_key.public_key().public_bytes_raw() + x25519_key.public_key().public_bytes_raw()


def fingerprint(public_key: bytes) -> str:
    """The SHA-256 of a public key in hex, by which people tell keys apart.

    >>> fingerprint(public_key_of(bytes(32), suite=Suite.XWING))[:16]
    '3bb0b003f553f49f'
    """
    return sha256(public_key).hexdigest()


def check_public_key(public_key: bytes, *, suite: Suite) -> None:
    """Refuse what is not a public key of the suite.

    >>> check_public_key(bytes(1216), suite=Suite.MLKEM768)
    Traceback (most recent call last):
    ValueError: A public key of the suite mlkem768-hkdf-sha512-aes256gcm has 1184 bytes; this one has 1216.

    Raises:
        ValueError: the public key has the wrong length, or is not one (FIPS 203 section 7.2 check).
    """
    # A trial, as some keys are only refused when they are used (X25519 points of low order).
    if suite.seals:
        _HPKE[suite].encrypt(b"", _hpke_public(suite, public_key), b"")
    else:
        encapsulate(public_key)


def seal_secret(secret: bytes, *, suite: Suite, public_key: bytes, info: bytes) -> bytes:
    """Seal a small secret to a public key by single-shot HPKE.

    >>> pair = generate_key_pair()
    >>> sealed = seal_secret(b"seed", suite=pair.suite, public_key=pair.public_key, info=b"backup of key 7")
    >>> open_secret(sealed, suite=pair.suite, seed=pair.seed, info=b"backup of key 7")
    b'seed'

    Args:
        secret: what only the holder of the seed shall read.
        suite: of the public key.
        public_key: ``suite.public_size`` bytes.
        info: what the secret is for; opening needs the same bytes.

    Returns:
        KEM ciphertext || AES-256-GCM ciphertext || tag: ``suite.sealed_size(len(secret))`` bytes.

    Raises:
        ValueError: the public key has the wrong length, or is not one (FIPS 203 section 7.2 check), or keys of its
            suite seal nothing.
    """
    _check_seals(suite)
    return _HPKE[suite].encrypt(secret, _hpke_public(suite, public_key), info)


def open_secret(sealed: bytes, *, suite: Suite, seed: bytes, info: bytes) -> bytes:
    """Open what ``seal_secret`` sealed.

    >>> pair = generate_key_pair()
    >>> sealed = seal_secret(b"seed", suite=pair.suite, public_key=pair.public_key, info=b"backup of key 7")
    >>> open_secret(sealed, suite=pair.suite, seed=pair.seed, info=b"backup of key 8")
    Traceback (most recent call last):
    qkdseal.kem.OpenFailed

    Raises:
        ValueError: the seed has the wrong length for the suite.
        OpenFailed: another key, another info, or changed, cut or extended bytes; it does not say which.
    """
    _check_seals(suite)
    _check_seed(seed, suite)
    private_key = _hpke_private(suite, seed)
    if len(sealed) < suite.sealed_size(0):
        raise OpenFailed
    try:
        return _HPKE[suite].decrypt(sealed, private_key, info)
    except (InvalidTag, ValueError):
        raise OpenFailed from None


def encapsulate(public_key: bytes) -> tuple[bytes, bytes]:
    """Draw a shared secret (32 bytes) by ML-KEM-768 alone; return it and its KEM ciphertext.

    Raises:
        ValueError: the public key has the wrong length, or is not one.
    """
    if len(public_key) != MLKEM768_PUBLIC_SIZE:
        raise ValueError(
            f"An ML-KEM-768 public key has {MLKEM768_PUBLIC_SIZE} bytes; this one has {len(public_key)}."
        )
    secret, ciphertext = MLKEM768PublicKey.from_public_bytes(public_key).encapsulate()
    return secret, ciphertext


def decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """The shared secret of a KEM ciphertext, or an unrelated one for a foreign ciphertext (implicit rejection).

    Raises:
        ValueError: the seed or the ciphertext has the wrong length.
    """
    _check_seed(seed, Suite.MLKEM768_RAW)
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)


def _check_seed(seed: bytes, suite: Suite) -> None:
    if len(seed) == suite.seed_size:
        return
    if len(seed) == MLKEM768_EXPANDED_SIZE:
        raise ValueError(
            f"This is an expanded ML-KEM-768 decapsulation key ({MLKEM768_EXPANDED_SIZE} bytes), from which the "
            f"seed cannot be recovered. Give the {suite.seed_size}-byte seed that it was generated from."
        )
    raise ValueError(f"A seed of the suite {suite} has {suite.seed_size} bytes; this one has {len(seed)}.")


def _xwing_parts(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    """Expand a 32-byte seed (draft-connolly-cfrg-xwing-kem, expandDecapsulationKey)."""
    expanded = shake_256(seed).digest(MLKEM768_SEED_SIZE + X25519_SIZE)
    return (
        MLKEM768PrivateKey.from_seed_bytes(expanded[:MLKEM768_SEED_SIZE]),
        X25519PrivateKey.from_private_bytes(expanded[MLKEM768_SEED_SIZE:]),
    )


def _check_seals(suite: Suite) -> None:
    if not suite.seals:
        raise ValueError(f"Keys of the suite {suite} seal nothing. Use one of another suite.")


def _hpke_private(suite: Suite, seed: bytes) -> MLKEM768PrivateKey | hpke.MLKEM768X25519PrivateKey:
    if suite is Suite.MLKEM768:
        return MLKEM768PrivateKey.from_seed_bytes(seed)
    return hpke.MLKEM768X25519PrivateKey(*_xwing_parts(seed))


def _hpke_public(suite: Suite, public_key: bytes) -> MLKEM768PublicKey | hpke.MLKEM768X25519PublicKey:
    if len(public_key) != suite.public_size:
        raise ValueError(
            f"A public key of the suite {suite} has {suite.public_size} bytes; this one has {len(public_key)}."
        )
    mlkem_key = MLKEM768PublicKey.from_public_bytes(public_key[:MLKEM768_PUBLIC_SIZE])
    if suite is Suite.MLKEM768:
        return mlkem_key
    return hpke.MLKEM768X25519PublicKey(
        mlkem_key, X25519PublicKey.from_public_bytes(public_key[MLKEM768_PUBLIC_SIZE:])
    )
