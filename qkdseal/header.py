"""The header of a package: what never changes, however often the envelope is re-wrapped.

The digest of its canonical encoding is bound into the sealed secret, the file key and the body, so no field
can be changed or exchanged afterwards.
"""

import hashlib
import hmac
import os
import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from qkdseal.encoding import Fields, encode_fields, to_base64
from qkdseal.errors import PackageInvalid
from qkdseal.quantum_keys import split_key_id

FORMAT_VERSION = 1
ID_LIMIT = 255
DIGEST_SIZE = 64
SALT_SIZE = 16
STRETCHED_SIZE = 32
# OWASP Password Storage Cheat Sheet: 210,000 rounds for PBKDF2 with HMAC-SHA512.
MIN_ITERATIONS = 210_000
DEFAULT_ITERATIONS = 300_000
# Reading a package costs at most a second or so of work that its sender chose.
MAX_ITERATIONS = 2_000_000
PASSPHRASE_LIMIT = 1024
_ID = re.compile(rf"[\x21-\x7e]{{1,{ID_LIMIT}}}")  # printable ASCII without the space
_LABEL = b"qkdplatform package header v1"


class PackageSuite(StrEnum):
    """How the file key is made."""

    HYBRID = "pool+quantum-hkdf-sha512"  # a secret sealed to a pool key, joined with a quantum key
    PQFILE = "pqfile-mlkem768-sha256"  # for compatibility, on request only: see pqfile


class BodyFormat(StrEnum):
    """How the body is encrypted."""

    COBBLESTONE_256 = "c2sp-cobblestone-256"
    A256CBC_HS512 = "a256cbc-hs512"


# A suite's body is its own; any other pair is refused.
_BODY_OF = {
    PackageSuite.HYBRID: BodyFormat.COBBLESTONE_256,
    PackageSuite.PQFILE: BodyFormat.A256CBC_HS512,
}


@dataclass(frozen=True, slots=True)
class PassphraseFactor:
    """The public parameters of a passphrase as a third factor: salt and rounds of PBKDF2-HMAC-SHA512.

    >>> PassphraseFactor().iterations
    300000

    Raises:
        ValueError: the salt has not 16 bytes, or the rounds are too few or too many.
    """

    salt: bytes = field(default_factory=lambda: os.urandom(SALT_SIZE))
    iterations: int = DEFAULT_ITERATIONS

    def __post_init__(self) -> None:
        if len(self.salt) != SALT_SIZE:
            raise ValueError(f"A passphrase salt has {SALT_SIZE} bytes; this one has {len(self.salt)}.")
        if not MIN_ITERATIONS <= self.iterations <= MAX_ITERATIONS:
            raise ValueError(f"Give {MIN_ITERATIONS} to {MAX_ITERATIONS} iterations, not {self.iterations}.")

    def stretch(self, passphrase: str) -> bytes:
        """Derive 32 bytes from the passphrase in Unicode form NFC, so that it may be typed on any keyboard.

        Raises:
            ValueError: the passphrase is empty, longer than 1,024 characters, or not encodable.
        """
        composed = unicodedata.normalize("NFC", passphrase)
        if not 0 < len(composed) <= PASSPHRASE_LIMIT:
            raise ValueError(f"Give a passphrase of 1 to {PASSPHRASE_LIMIT} characters.")
        secret = composed.encode("utf-8")
        return PBKDF2HMAC(SHA512(), STRETCHED_SIZE, self.salt, self.iterations).derive(secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a package is, and which quantum key it uses. Make one with ``Header.of``.

    >>> header = Header.of(file_id="letter-7", quantum_key_id="session-1.0", context=b"for Bob")
    >>> header.binds(b"for Bob"), header.binds(b"for Eve")
    (True, False)

    Attributes:
        file_id: names the file or message; 1 to 255 printable ASCII characters without space.
        quantum_key_id: the name of the quantum key, of the same form; in a batch with ``/`` and the index.
        context_digest: the SHA-512 of bytes that the caller binds and has to name again, or empty.
        passphrase: set where a passphrase is needed as well.

    Raises:
        ValueError: an id or the digest is not of the form above.
    """

    file_id: str
    quantum_key_id: str
    context_digest: bytes = field(default=b"", repr=False)
    passphrase: PassphraseFactor | None = None
    suite: PackageSuite = PackageSuite.HYBRID
    body: BodyFormat = BodyFormat.COBBLESTONE_256

    def __post_init__(self) -> None:
        check_id("file id", self.file_id)
        check_id("quantum key id", self.quantum_key_id)
        split_key_id(self.quantum_key_id)
        if self.body is not _BODY_OF[self.suite]:
            raise ValueError(f"The suite {self.suite} does not go with the body {self.body}.")
        if len(self.context_digest) not in {0, DIGEST_SIZE}:
            raise ValueError(
                f"A context digest has {DIGEST_SIZE} bytes; this one has {len(self.context_digest)}."
            )

    @classmethod
    def of(
        cls,
        *,
        file_id: str,
        quantum_key_id: str,
        context: bytes | None = None,
        passphrase: PassphraseFactor | None = None,
        suite: PackageSuite = PackageSuite.HYBRID,
        body: BodyFormat = BodyFormat.COBBLESTONE_256,
    ) -> Self:
        """A header of the current format that binds ``context``; None binds nothing, which differs from empty bytes."""
        return cls(
            file_id=file_id,
            quantum_key_id=quantum_key_id,
            context_digest=_context_digest(context),
            passphrase=passphrase,
            suite=suite,
            body=body,
        )

    def encoding(self) -> bytes:
        """The canonical encoding: a label and all fields, each behind its length."""
        factor = self.passphrase
        return encode_fields(
            _LABEL,
            self.suite.encode(),
            self.body.encode(),
            self.file_id.encode(),
            self.quantum_key_id.encode(),
            self.context_digest,
            factor.salt if factor else b"",
            factor.iterations.to_bytes(4, "big") if factor else b"",
        )

    def digest(self) -> bytes:
        """The SHA-512 of the canonical encoding, 64 bytes; also the context of the body."""
        return hashlib.sha512(self.encoding()).digest()

    def binds(self, context: bytes | None) -> bool:
        """Return whether the package was made with this context."""
        return hmac.compare_digest(self.context_digest, _context_digest(context))

    def to_dict(self) -> dict[str, Any]:
        """The header as it stands in JSON; ``from_fields`` reads it."""
        value: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "suite": self.suite.value,
            "body": self.body.value,
            "file_id": self.file_id,
            "quantum_key_id": self.quantum_key_id,
        }
        if self.context_digest:
            value["context_digest"] = to_base64(self.context_digest)
        if self.passphrase:
            value["passphrase"] = {
                "kdf": "pbkdf2-hmac-sha512",
                "salt": to_base64(self.passphrase.salt),
                "iterations": self.passphrase.iterations,
            }
        return value

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read a header, every field checked.

        Raises:
            PackageInvalid: a field is missing, unknown, of the wrong type or out of bounds.
        """
        if fields.number("version") != FORMAT_VERSION:
            raise PackageInvalid
        try:
            header = cls(
                suite=PackageSuite(fields.text("suite", limit=ID_LIMIT)),
                body=BodyFormat(fields.text("body", limit=ID_LIMIT)),
                file_id=fields.text("file_id", limit=ID_LIMIT),
                quantum_key_id=fields.text("quantum_key_id", limit=ID_LIMIT),
                context_digest=_digest_of(fields),
                passphrase=_passphrase_of(fields),
            )
        except ValueError:
            raise PackageInvalid from None
        fields.refuse_rest()
        return header


def check_id(what: str, value: str) -> None:
    """Refuse an id of another form.

    Raises:
        ValueError: it is not 1 to 255 printable ASCII characters without space; ``what`` names it in the message.
    """
    if not _ID.fullmatch(value):
        raise ValueError(f"A {what} has 1 to {ID_LIMIT} printable ASCII characters and no space.")


def _context_digest(context: bytes | None) -> bytes:
    return b"" if context is None else hashlib.sha512(context).digest()


def _digest_of(fields: Fields) -> bytes:
    """The context digest. Absent means none; an empty one would be a second spelling of that, and is refused."""
    if not fields.has("context_digest"):
        return b""
    digest = fields.data("context_digest", limit=DIGEST_SIZE)
    if not digest:
        raise PackageInvalid
    return digest


def _passphrase_of(fields: Fields) -> PassphraseFactor | None:
    if not fields.has("passphrase"):
        return None
    factor = fields.fields("passphrase")
    if factor.text("kdf", limit=ID_LIMIT) != "pbkdf2-hmac-sha512":
        raise PackageInvalid
    passphrase = PassphraseFactor(factor.data("salt", limit=SALT_SIZE), factor.number("iterations"))
    factor.refuse_rest()
    return passphrase
