"""The envelope of a package: a sealed secret that, joined with a quantum key, gives the file key.

    sealed   = HPKE-Seal(pool public key, secret, info = label, pool suite, pool key id, header digest)
    file key = HKDF-SHA512(ikm = secret [|| stretched passphrase], salt = quantum key, info = label, header digest)

The secret is 32 random bytes. The pool key stands in the envelope only, so rotation re-seals the secret
(``rewrap``: about 1.2 KiB) and leaves the body as it is; it needs neither quantum key nor passphrase.

What still protects a file whose envelope and body an attacker has copied:
    quantum key known: the KEM. X-Wing holds while ML-KEM-768 or X25519 does.
    ML-KEM and X25519 broken (so the secret is known): the quantum key, a secret HMAC key to HKDF-Extract.
    seed and quantum key known: the passphrase, where one is part of the key.
An attacker who may also write: header, envelope and body are bound to one another and to their ids, so a change,
an exchange, or an old envelope beside another body ends in ``PackageInvalid``.
Not protected: the size, the names in the header, and forward secrecy against somebody who keeps old envelopes
and later gets their pool seed. So destroy rotated seeds once no package needs them.
"""

import os
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qkdseal import kem
from qkdseal.encoding import Fields, encode_fields, json_object, to_base64, to_json
from qkdseal.errors import PackageInvalid
from qkdseal.header import ID_LIMIT, STRETCHED_SIZE, Header, PackageSuite, check_id
from qkdseal.kem import DEFAULT_SUITE, Suite
from qkdseal.quantum_keys import check_quantum_key, key_for

SECRET_SIZE = 32
FILE_KEY_SIZE = 32
ENVELOPE_LIMIT = 8192  # bytes of JSON; the largest that can be made has fewer than 4,000
_SEAL_LABEL = b"qkdplatform package seal v1"
_TOGETHER = "Give a passphrase where the header names a factor for it, and only there."
_ONE_FORM = "Give the passphrase or its stretched form, not both."
_FILE_KEY_LABEL = b"qkdplatform package file key v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A header, and the secret sealed to a pool key. Made by ``seal`` and ``rewrap``, read by ``from_bytes``.

    >>> Envelope.from_bytes(b'{"header": {}}')
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.

    Raises:
        ValueError: the pool key id is malformed, or ``sealed`` has the wrong length for the suite.
    """

    header: Header
    pool_key_id: str
    pool_suite: Suite
    sealed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_id("pool key id", self.pool_key_id)
        if self.header.suite is not PackageSuite.HYBRID:
            raise ValueError("The header is of another suite; an envelope needs the default one.")
        if not self.pool_suite.seals:
            raise ValueError(f"Keys of the suite {self.pool_suite} seal nothing.")
        if len(self.sealed) != self.pool_suite.sealed_size(SECRET_SIZE):
            raise ValueError("The sealed secret has the wrong length for its suite.")

    def to_dict(self) -> dict[str, Any]:
        """The envelope as it stands in JSON; ``from_dict`` reads it."""
        return {
            "header": self.header.to_dict(),
            "pool_key_id": self.pool_key_id,
            "pool_suite": self.pool_suite.value,
            "sealed": to_base64(self.sealed),
        }

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """Read an envelope, and check every field.

        Raises:
            PackageInvalid: a field is missing, unknown, of the wrong type or out of bounds.
        """
        return cls.from_fields(Fields(value))

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read an envelope within another object; see ``from_dict``."""
        header = Header.from_fields(fields.fields("header"))
        try:
            suite = Suite(fields.text("pool_suite", limit=ID_LIMIT))
            envelope = cls(
                header=header,
                pool_key_id=fields.text("pool_key_id", limit=ID_LIMIT),
                pool_suite=suite,
                sealed=fields.data("sealed", limit=suite.sealed_size(SECRET_SIZE)),
            )
        except ValueError:
            raise PackageInvalid from None
        fields.refuse_rest()
        return envelope

    def to_bytes(self) -> bytes:
        """The envelope as compact JSON; ``from_bytes`` reads it."""
        return to_json(self.to_dict()).encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote; errors as ``from_dict``."""
        if not data.isascii():
            raise PackageInvalid
        return cls.from_dict(json_object(data.decode("ascii"), limit=ENVELOPE_LIMIT))


def seal(
    header: Header,
    *,
    pool_key_id: str,
    pool_public_key: bytes,
    quantum_key: bytes,
    pool_suite: Suite = DEFAULT_SUITE,
    passphrase: str | None = None,
    stretched: bytes | None = None,
) -> tuple[Envelope, bytes]:
    """Make a fresh file key (32 bytes), and the envelope from which ``open_envelope`` gets it again.

    The file key encrypts one body, with ``header.digest()`` as its context.

    >>> pool_key, quantum_key = kem.generate_key_pair(), os.urandom(32)
    >>> header = Header.of(file_id="report-7", quantum_key_id="session-1.0")
    >>> envelope, file_key = seal(
    ...     header, pool_key_id="pool-1", pool_public_key=pool_key.public_key, quantum_key=quantum_key
    ... )
    >>> open_envelope(envelope, seed=pool_key.seed, quantum_key=quantum_key) == file_key
    True

    Args:
        header: made for this package.
        pool_key_id: the name of the pool key.
        pool_public_key: its public key.
        quantum_key: 32 bytes, used for no other package or batch.
        pool_suite: of the pool key.
        passphrase: where the header names a factor.
        stretched: what ``header.passphrase.stretch`` made of it, instead of the passphrase.

    Raises:
        ValueError: the quantum key has not 32 bytes, the public key is not of the suite, an id is malformed, or there
            is a passphrase without a factor in the header, or the reverse.
    """
    secret = os.urandom(SECRET_SIZE)
    if passphrase is not None:
        if header.passphrase is None:
            raise ValueError(_TOGETHER)
        if stretched is not None:
            raise ValueError(_ONE_FORM)
        stretched = header.passphrase.stretch(passphrase)
    file_key = _file_key(header, secret, quantum_key, stretched)
    return _seal_to(header, secret, pool_key_id, pool_suite, pool_public_key), file_key


def open_envelope(
    envelope: Envelope,
    *,
    seed: bytes,
    quantum_key: bytes,
    pool_suite: Suite = DEFAULT_SUITE,
    context: bytes | None = None,
    passphrase: str | None = None,
    stretched: bytes | None = None,
) -> bytes:
    """The file key of a package, 32 bytes.

    A wrong quantum key or passphrase gives a wrong file key, which the body's commitment refuses.

    >>> pool_key, quantum_key = kem.generate_key_pair(), os.urandom(32)
    >>> header = Header.of(file_id="report-7", quantum_key_id="session-1.0", context=b"for Bob")
    >>> envelope, _ = seal(
    ...     header, pool_key_id="pool-1", pool_public_key=pool_key.public_key, quantum_key=quantum_key
    ... )
    >>> open_envelope(envelope, seed=pool_key.seed, quantum_key=quantum_key, context=b"for Eve")
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.

    Args:
        envelope: from ``seal``, ``rewrap`` or ``from_dict``.
        seed: of the pool key that the envelope names.
        quantum_key: the one that the header names; of a batch the quantum key itself.
        pool_suite: of the pool key, from your record of it and not from the envelope.
        context: what the header binds; None if it binds nothing.
        passphrase: needed if the header names a factor.
        stretched: what ``header.passphrase.stretch`` made of it, instead of the passphrase.

    Raises:
        PackageInvalid: the seed, an id, the header or the context is another, the envelope was changed, or the
            passphrase is missing, superfluous or impossible.
        ValueError: the seed has the wrong length for the suite, the quantum key has not 32 bytes, or both the
            passphrase and its stretched form are given.
    """
    if passphrase is not None and stretched is not None:
        raise ValueError(_ONE_FORM)
    secret = _open(envelope, seed, pool_suite)
    given = passphrase is not None or stretched is not None
    if not envelope.header.binds(context) or given != (envelope.header.passphrase is not None):
        raise PackageInvalid
    check_quantum_key(quantum_key)
    if envelope.header.passphrase is not None and passphrase is not None:
        try:
            stretched = envelope.header.passphrase.stretch(passphrase)
        except ValueError:  # the passphrase comes from outside
            raise PackageInvalid from None
    return _file_key(envelope.header, secret, quantum_key, stretched)


def rewrap(
    envelope: Envelope,
    *,
    seed: bytes,
    pool_suite: Suite = DEFAULT_SUITE,
    new_pool_key_id: str,
    new_public_key: bytes,
    new_suite: Suite = DEFAULT_SUITE,
    new_seed: bytes | None = None,
) -> Envelope:
    """Seal the same secret to another pool key; the body stays readable as it is.

    >>> old, new, quantum_key = kem.generate_key_pair(), kem.generate_key_pair(), os.urandom(32)
    >>> header = Header.of(file_id="report-7", quantum_key_id="session-1.0")
    >>> envelope, file_key = seal(
    ...     header, pool_key_id="pool-1", pool_public_key=old.public_key, quantum_key=quantum_key
    ... )
    >>> moved = rewrap(envelope, seed=old.seed, new_pool_key_id="pool-2", new_public_key=new.public_key)
    >>> open_envelope(moved, seed=new.seed, quantum_key=quantum_key) == file_key
    True

    Args:
        envelope: that opens with ``seed``.
        seed: of the pool key that the envelope names.
        pool_suite: of that pool key.
        new_pool_key_id: the name of the other pool key.
        new_public_key: its public key.
        new_suite: of the other pool key.
        new_seed: its seed, if you have it: the moved envelope is then opened again before you trust it.

    Raises:
        PackageInvalid: the envelope does not open with this seed.
        ValueError: a seed or the new public key is not of its suite, the new id is malformed, or the new seed does
            not open what was sealed to the new public key.
    """
    secret = _open(envelope, seed, pool_suite)
    moved = _seal_to(envelope.header, secret, new_pool_key_id, new_suite, new_public_key)
    if new_seed is not None and not _opens_to(moved, secret, new_seed, new_suite):
        raise ValueError("The new seed does not belong to the new public key.")
    return moved


def _opens_to(envelope: Envelope, secret: bytes, seed: bytes, suite: Suite) -> bool:
    try:
        return _open(envelope, seed, suite) == secret
    except PackageInvalid:
        return False


def _seal_to(header: Header, secret: bytes, pool_key_id: str, suite: Suite, public_key: bytes) -> Envelope:
    info = _seal_info(header, pool_key_id, suite)
    sealed = kem.seal_secret(secret, suite=suite, public_key=public_key, info=info)
    return Envelope(header=header, pool_key_id=pool_key_id, pool_suite=suite, sealed=sealed)


def _open(envelope: Envelope, seed: bytes, pool_suite: Suite) -> bytes:
    # The envelope comes from outside: it must not choose how a seed is used.
    if envelope.pool_suite is not pool_suite:
        raise PackageInvalid
    info = _seal_info(envelope.header, envelope.pool_key_id, envelope.pool_suite)
    try:
        return kem.open_secret(envelope.sealed, suite=envelope.pool_suite, seed=seed, info=info)
    except kem.OpenFailed:
        raise PackageInvalid from None


def _seal_info(header: Header, pool_key_id: str, suite: Suite) -> bytes:
    return encode_fields(_SEAL_LABEL, suite.encode(), pool_key_id.encode(), header.digest())


def _file_key(header: Header, secret: bytes, quantum_key: bytes, stretched: bytes | None) -> bytes:
    package_key = key_for(header.quantum_key_id, quantum_key=quantum_key)
    if (stretched is None) != (header.passphrase is None):
        raise ValueError(_TOGETHER)
    if stretched is not None:
        if len(stretched) != STRETCHED_SIZE:
            raise ValueError(
                f"A stretched passphrase has {STRETCHED_SIZE} bytes; this one has {len(stretched)}."
            )
        secret += stretched
    info = encode_fields(_FILE_KEY_LABEL, header.digest())
    return HKDF(SHA512(), FILE_KEY_SIZE, package_key, info).derive(secret)
