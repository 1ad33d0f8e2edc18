"""The compatibility suite: what PQFile does, with a real ML-KEM-768 and a MAC. Asked for by name, never the default.

    shared secret, KEM ciphertext = ML-KEM-768.Encaps(pool public key)
    encryption key = SHA-256(shared secret)                                     as in PQFile
    MAC key        = HKDF-SHA512(ikm = shared secret, salt = quantum key, info = label, header digest)
    body           = A256CBC-HS512, aad = label, pool key id, KEM ciphertext, header digest

The quantum key guards against forgery only: what is secret is as secret as ML-KEM-768 alone. Messages only; the
whole ciphertext has to be there before its MAC can be checked.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qkdseal import cbc, kem
from qkdseal.encoding import Fields, length_prefixed, to_base64
from qkdseal.errors import PackageInvalid
from qkdseal.header import ID_LIMIT, BodyFormat, Header, PackageSuite, checked_id
from qkdseal.package import MESSAGE_LIMIT

CIPHERTEXT_LIMIT = MESSAGE_LIMIT + 16  # one block of padding at most
_MAC_LABEL = b"qkdplatform pqfile mac key v1"
_AAD_LABEL = b"qkdplatform pqfile body v1"


@dataclass(frozen=True, slots=True)
class PqfilePackage:
    """A message in the compatibility suite.

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
        checked_id("pool key id", self.pool_key_id)
        if self.header.suite is not PackageSuite.PQFILE or self.header.passphrase is not None:
            raise ValueError("the header is not of the compatibility suite")
        sizes = (len(self.kem_ciphertext), len(self.iv), len(self.tag), len(self.ciphertext) % cbc.IV_SIZE)
        if sizes != (kem.MLKEM768_CIPHERTEXT_SIZE, cbc.IV_SIZE, cbc.TAG_SIZE, 0) or not self.ciphertext:
            raise ValueError("a part of the package has the wrong length")

    def to_dict(self) -> dict[str, Any]:
        """As in JSON; ``from_dict`` reads it back."""
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
        """Read a package, every field checked.

        Raises:
            PackageInvalid: a field is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(value)
        try:
            package = cls(
                Header.from_fields(fields.fields("header")),
                fields.text("pool_key_id", limit=ID_LIMIT),
                fields.data("kem_ciphertext", limit=kem.MLKEM768_CIPHERTEXT_SIZE),
                fields.data("iv", limit=cbc.IV_SIZE),
                fields.data("ciphertext", limit=CIPHERTEXT_LIMIT),
                fields.data("tag", limit=cbc.TAG_SIZE),
            )
        except ValueError:
            raise PackageInvalid from None
        fields.done()
        return package


def header_of(*, file_id: str, quantum_key_id: str, context: bytes | None = None) -> Header:
    """A header of this suite; ``context`` as in ``Header.of``."""
    return Header.of(
        file_id=file_id,
        quantum_key_id=quantum_key_id,
        context=context,
        suite=PackageSuite.PQFILE,
        body=BodyFormat.A256CBC_HS512,
    )


def seal(
    header: Header, message: bytes, *, pool_key_id: str, pool_public_key: bytes, quantum_key: bytes
) -> PqfilePackage:
    """Encrypt a message of at most 4 MiB to a pool key of the suite ML-KEM-768.

    Raises:
        ValueError: the message is too long, the public key is none, or the header not of this suite.
    """
    if len(message) > MESSAGE_LIMIT:
        raise ValueError(f"a message has at most {MESSAGE_LIMIT} bytes, this has {len(message)}")
    secret, encapsulated = kem.encapsulate(pool_public_key)
    iv, ciphertext, tag = cbc.encrypt(
        message,
        encryption_key=hashlib.sha256(secret).digest(),
        mac_key=_mac_key(header, secret, quantum_key),
        aad=_aad(header, pool_key_id, encapsulated),
    )
    return PqfilePackage(header, pool_key_id, encapsulated, iv, ciphertext, tag)


def unseal(package: PqfilePackage, *, seed: bytes, quantum_key: bytes, context: bytes | None = None) -> bytes:
    """The message; the MAC is checked first.

    Raises:
        PackageInvalid: another seed, quantum key or context, or anything changed.
        ValueError: the seed has the wrong length.
    """
    secret = kem.decapsulate(seed, package.kem_ciphertext)
    if not package.header.binds(context):
        raise PackageInvalid
    return cbc.decrypt(
        package.iv,
        package.ciphertext,
        package.tag,
        encryption_key=hashlib.sha256(secret).digest(),
        mac_key=_mac_key(package.header, secret, quantum_key),
        aad=_aad(package.header, package.pool_key_id, package.kem_ciphertext),
    )


def _mac_key(header: Header, secret: bytes, quantum_key: bytes) -> bytes:
    info = length_prefixed(_MAC_LABEL, header.digest())
    return HKDF(SHA512(), cbc.KEY_SIZE, quantum_key, info).derive(secret)


def _aad(header: Header, pool_key_id: str, encapsulated: bytes) -> bytes:
    return length_prefixed(_AAD_LABEL, pool_key_id.encode(), encapsulated, header.digest())
