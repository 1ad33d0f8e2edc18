"""The compatibility suite: what PQFile does, with a real ML-KEM-768 and a MAC. Used by request, never by default.

    shared secret, KEM ciphertext = ML-KEM-768.Encaps(pool public key)
    encryption key = SHA-256(shared secret)                                     as in PQFile
    MAC key        = HKDF-SHA512(ikm = shared secret, salt = quantum key, info = label, header digest)
    body           = A256CBC-HS512, aad = label, pool key id, KEM ciphertext, header digest

The quantum key protects against forgery only; secrecy rests on ML-KEM-768 alone. For messages only: the whole
ciphertext has to be present before its MAC can be checked.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qkdseal import cbc, kem
from qkdseal.encoding import Fields, encode_fields, to_base64
from qkdseal.errors import PackageInvalid
from qkdseal.header import ID_LIMIT, BodyFormat, Header, PackageSuite, check_id
from qkdseal.package import MESSAGE_LIMIT, check_message
from qkdseal.quantum_keys import key_for

CIPHERTEXT_LIMIT = MESSAGE_LIMIT + 16  # one block of padding at most
_MAC_LABEL = b"qkdplatform pqfile mac key v1"
_AAD_LABEL = b"qkdplatform pqfile body v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PqfilePackage:
    """A message in the compatibility suite. Made by ``seal_pqfile``, read by ``from_dict``.

    >>> PqfilePackage.from_dict({})
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.

    Raises:
        ValueError: the header is not of this suite, the pool key id malformed, or a part of the wrong length.
    """

    header: Header
    pool_key_id: str
    kem_ciphertext: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    tag: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_id("pool key id", self.pool_key_id)
        if self.header.suite is not PackageSuite.PQFILE or self.header.passphrase is not None:
            raise ValueError("The header is not of the compatibility suite; make it with pqfile_header.")
        sizes = (len(self.kem_ciphertext), len(self.iv), len(self.tag), len(self.ciphertext) % cbc.IV_SIZE)
        if sizes != (kem.MLKEM768_CIPHERTEXT_SIZE, cbc.IV_SIZE, cbc.TAG_SIZE, 0) or not self.ciphertext:
            raise ValueError("A part of the package has the wrong length.")

    def to_dict(self) -> dict[str, Any]:
        """The package as it stands in JSON; ``from_dict`` reads it."""
        return {
            "header": self.header.to_dict(),
            "pool_key_id": self.pool_key_id,
            "kem_ciphertext": to_base64(self.kem_ciphertext),
            "iv": to_base64(self.iv),
            "ciphertext": to_base64(self.ciphertext),
            "tag": to_base64(self.tag),
        }

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """Read a package, and check every field.

        Raises:
            PackageInvalid: a field is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(value)
        try:
            package = cls(
                header=Header.from_fields(fields.fields("header")),
                pool_key_id=fields.text("pool_key_id", limit=ID_LIMIT),
                kem_ciphertext=fields.data("kem_ciphertext", limit=kem.MLKEM768_CIPHERTEXT_SIZE),
                iv=fields.data("iv", limit=cbc.IV_SIZE),
                ciphertext=fields.data("ciphertext", limit=CIPHERTEXT_LIMIT),
                tag=fields.data("tag", limit=cbc.TAG_SIZE),
            )
        except ValueError:
            raise PackageInvalid from None
        fields.refuse_rest()
        return package


def pqfile_header(*, file_id: str, quantum_key_id: str, context: bytes | None = None) -> Header:
    """A header of this suite; arguments as ``Header.of``.

    >>> pqfile_header(file_id="letter-7", quantum_key_id="session-1.0").suite
    <PackageSuite.PQFILE: 'pqfile-mlkem768-sha256'>
    """
    return Header.of(
        file_id=file_id,
        quantum_key_id=quantum_key_id,
        context=context,
        suite=PackageSuite.PQFILE,
        body=BodyFormat.A256CBC_HS512,
    )


def seal_pqfile(
    header: Header,
    message: bytes,
    *,
    pool_key_id: str,
    pool_public_key: bytes,
    pool_suite: kem.Suite,
    quantum_key: bytes,
) -> PqfilePackage:
    """Encrypt a message of at most 4 MiB to a pool key of the suite ``Suite.MLKEM768_RAW``.

    >>> import os
    >>> pool_key, quantum_key = kem.generate_key_pair(kem.Suite.MLKEM768_RAW), os.urandom(32)
    >>> package = seal_pqfile(
    ...     pqfile_header(file_id="letter-7", quantum_key_id="session-1.0"),
    ...     b"text",
    ...     pool_key_id="pool-1",
    ...     pool_public_key=pool_key.public_key,
    ...     pool_suite=pool_key.suite,
    ...     quantum_key=quantum_key,
    ... )
    >>> open_pqfile(package, seed=pool_key.seed, pool_suite=pool_key.suite, quantum_key=quantum_key)
    b'text'

    Raises:
        ValueError: the message is too long, the public key or its suite is another, the quantum key has not 32
            bytes, or the header is not of this suite.
    """
    check_message(message)
    if pool_suite is not kem.Suite.MLKEM768_RAW:
        raise ValueError(
            f"The PQFile suite needs a pool key of the suite {kem.Suite.MLKEM768_RAW}; this is {pool_suite}."
        )
    secret, encapsulated = kem.encapsulate(pool_public_key)
    iv, ciphertext, tag = cbc.encrypt(
        message,
        encryption_key=hashlib.sha256(secret).digest(),
        mac_key=_mac_key(header, secret, quantum_key),
        aad=_aad(header, pool_key_id, encapsulated),
    )
    return PqfilePackage(
        header=header,
        pool_key_id=pool_key_id,
        kem_ciphertext=encapsulated,
        iv=iv,
        ciphertext=ciphertext,
        tag=tag,
    )


def open_pqfile(
    package: PqfilePackage,
    *,
    seed: bytes,
    pool_suite: kem.Suite,
    quantum_key: bytes,
    context: bytes | None = None,
) -> bytes:
    """Check the MAC of a message, then decrypt it.

    >>> import os
    >>> pool_key = kem.generate_key_pair(kem.Suite.MLKEM768_RAW)
    >>> package = seal_pqfile(
    ...     pqfile_header(file_id="letter-7", quantum_key_id="session-1.0"),
    ...     b"text",
    ...     pool_key_id="pool-1",
    ...     pool_public_key=pool_key.public_key,
    ...     pool_suite=pool_key.suite,
    ...     quantum_key=os.urandom(32),
    ... )
    >>> open_pqfile(package, seed=pool_key.seed, pool_suite=pool_key.suite, quantum_key=os.urandom(32))
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.

    Raises:
        PackageInvalid: the seed, its suite, the quantum key or the context is another, or something was changed.
        ValueError: the seed or the quantum key has the wrong length.
    """
    # The package comes from outside: it must not have a seed decapsulate that was made for HPKE.
    if pool_suite is not kem.Suite.MLKEM768_RAW:
        raise PackageInvalid
    secret = kem.decapsulate(seed, package.kem_ciphertext)
    if not package.header.binds(context):
        raise PackageInvalid
    return cbc.decrypt(
        package.ciphertext,
        iv=package.iv,
        tag=package.tag,
        encryption_key=hashlib.sha256(secret).digest(),
        mac_key=_mac_key(package.header, secret, quantum_key),
        aad=_aad(package.header, package.pool_key_id, package.kem_ciphertext),
    )


def _mac_key(header: Header, secret: bytes, quantum_key: bytes) -> bytes:
    package_key = key_for(header.quantum_key_id, quantum_key=quantum_key)
    info = encode_fields(_MAC_LABEL, header.digest())
    return HKDF(SHA512(), cbc.KEY_SIZE, package_key, info).derive(secret)


def _aad(header: Header, pool_key_id: str, encapsulated: bytes) -> bytes:
    return encode_fields(_AAD_LABEL, pool_key_id.encode(), encapsulated, header.digest())
