"""A package in one piece, for messages: envelope and body in one JSON text."""

from dataclasses import dataclass, field
from typing import Any, Self

from qkdseal import body
from qkdseal.encoding import Fields, json_object, to_base64, to_json
from qkdseal.envelope import ENVELOPE_LIMIT, Envelope, open_envelope, seal
from qkdseal.header import Header
from qkdseal.kem import DEFAULT_SUITE, Suite

MESSAGE_LIMIT = 4 * 1024 * 1024  # bytes of plaintext: its package fits Lambda's 6 MB of response
BODY_LIMIT = body.ciphertext_size(MESSAGE_LIMIT)
TEXT_LIMIT = BODY_LIMIT // 3 * 4 + ENVELOPE_LIMIT


@dataclass(frozen=True, slots=True)
class Package:
    """An encrypted message."""

    envelope: Envelope
    body: bytes = field(repr=False)

    @property
    def header(self) -> Header:
        """What the package names."""
        return self.envelope.header

    @property
    def pool_key_id(self) -> str:
        """The pool key that it is sealed to."""
        return self.envelope.pool_key_id

    def to_dict(self) -> dict[str, Any]:
        """As in JSON; ``from_dict`` reads it back."""
        return {"envelope": self.envelope.to_dict(), "body": to_base64(self.body)}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """Read a package, every field checked.

        Raises:
            PackageInvalid: a field is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(value)
        package = cls(Envelope.from_fields(fields.fields("envelope")), fields.data("body", limit=BODY_LIMIT))
        fields.done()
        return package

    def to_text(self) -> str:
        """Compact JSON, ASCII."""
        return to_json(self.to_dict())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``to_text`` wrote; PackageInvalid as ``from_dict``."""
        return cls.from_dict(json_object(text, limit=TEXT_LIMIT))


def seal_message(
    header: Header,
    message: bytes,
    *,
    pool_key_id: str,
    pool_public_key: bytes,
    quantum_key: bytes,
    pool_suite: Suite = DEFAULT_SUITE,
    passphrase: str | None = None,
) -> Package:
    """Encrypt a message of at most 4 MiB; errors as ``envelope.seal``."""
    if len(message) > MESSAGE_LIMIT:
        raise ValueError(f"a message has at most {MESSAGE_LIMIT} bytes, this has {len(message)}")
    envelope, file_key = seal(
        header,
        pool_key_id=pool_key_id,
        pool_public_key=pool_public_key,
        quantum_key=quantum_key,
        pool_suite=pool_suite,
        passphrase=passphrase,
    )
    return Package(envelope, body.seal_bytes(file_key, header.digest(), message))


def open_message(
    package: Package,
    *,
    seed: bytes,
    quantum_key: bytes,
    context: bytes | None = None,
    passphrase: str | None = None,
) -> bytes:
    """Decrypt a message; errors as ``envelope.open_envelope``, and PackageInvalid for a wrong secret or body."""
    file_key = open_envelope(
        package.envelope, seed=seed, quantum_key=quantum_key, context=context, passphrase=passphrase
    )
    return body.open_bytes(file_key, package.envelope.header.digest(), package.body)
