"""A package in one piece, for messages: envelope and body in one JSON text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from qkdseal import body
from qkdseal.encoding import Fields, json_object, to_base64, to_json
from qkdseal.envelope import ENVELOPE_LIMIT, Envelope, open_envelope, seal
from qkdseal.header import Header
from qkdseal.kem import DEFAULT_SUITE, Suite
from qkdseal.quantum_keys import batch_key_id

MESSAGE_LIMIT = 4 * 1024 * 1024  # bytes of plaintext: its package fits Lambda's 6 MB of response
BODY_LIMIT = body.ciphertext_size(MESSAGE_LIMIT)
TEXT_LIMIT = BODY_LIMIT // 3 * 4 + ENVELOPE_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An encrypted message. Made by ``seal_message``, read by ``from_text``.

    >>> Package.from_text("{}")
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.
    """

    envelope: Envelope
    body: bytes = field(repr=False)

    @property
    def header(self) -> Header:
        """The header of the package."""
        return self.envelope.header

    @property
    def pool_key_id(self) -> str:
        """The pool key that it is sealed to."""
        return self.envelope.pool_key_id

    def to_dict(self) -> dict[str, Any]:
        """The package as it stands in JSON; ``from_dict`` reads it."""
        return {"envelope": self.envelope.to_dict(), "body": to_base64(self.body)}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """Read a package, and check every field.

        Raises:
            PackageInvalid: a field is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(value)
        package = cls(
            envelope=Envelope.from_fields(fields.fields("envelope")),
            body=fields.data("body", limit=BODY_LIMIT),
        )
        fields.refuse_rest()
        return package

    def to_text(self) -> str:
        """The package as compact JSON in ASCII; ``from_text`` reads it."""
        return to_json(self.to_dict())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``to_text`` wrote; errors as ``from_dict``."""
        return cls.from_dict(json_object(text, limit=TEXT_LIMIT))


def seal_batch(
    messages: Sequence[bytes],
    *,
    file_id: str,
    quantum_key_id: str,
    pool_key_id: str,
    pool_public_key: bytes,
    quantum_key: bytes,
    pool_suite: Suite = DEFAULT_SUITE,
    context: bytes | None = None,
) -> list[Package]:
    """Encrypt many messages under one quantum key; each opens alone, with ``open_message``.

    >>> import os
    >>> from qkdseal import generate_key_pair
    >>> pool_key, quantum_key = generate_key_pair(), os.urandom(32)
    >>> packages = seal_batch(
    ...     [b"one", b"two"],
    ...     file_id="batch-1",
    ...     quantum_key_id="session-1.0",
    ...     pool_key_id="pool-1",
    ...     pool_public_key=pool_key.public_key,
    ...     quantum_key=quantum_key,
    ... )
    >>> packages[1].header.quantum_key_id
    'session-1.0/1'
    >>> open_message(packages[1], seed=pool_key.seed, quantum_key=quantum_key)
    b'two'

    Args:
        messages: at most 4 MiB each.
        file_id: names the batch; each message adds ``/`` and its index.
        quantum_key_id: the name of the quantum key; each message adds ``/`` and its index.
        pool_key_id: the name of the pool key.
        pool_public_key: its public key.
        quantum_key: 32 bytes, used for this batch and nothing else.
        pool_suite: of the pool key.
        context: bytes that every message binds.

    Raises:
        ValueError: as ``seal_message``, or the quantum key's id is one of a package of a batch.
    """
    packages = []
    for index, message in enumerate(messages):
        header = Header.of(
            file_id=f"{file_id}/{index}",
            quantum_key_id=batch_key_id(quantum_key_id, index=index),
            context=context,
        )
        packages.append(
            seal_message(
                header,
                message,
                pool_key_id=pool_key_id,
                pool_public_key=pool_public_key,
                quantum_key=quantum_key,
                pool_suite=pool_suite,
            )
        )
    return packages


def check_message(message: bytes) -> None:
    """Refuse a message that is too long.

    Raises:
        ValueError: it has more than 4 MiB.
    """
    if len(message) > MESSAGE_LIMIT:
        raise ValueError(f"A message has at most {MESSAGE_LIMIT} bytes; this one has {len(message)}.")


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
    """Encrypt a message of at most 4 MiB; arguments and errors as ``seal``.

    >>> import os
    >>> from qkdseal import generate_key_pair
    >>> pool_key, quantum_key = generate_key_pair(), os.urandom(32)
    >>> package = seal_message(
    ...     Header.of(file_id="letter-7", quantum_key_id="session-1.0"),
    ...     b"text",
    ...     pool_key_id="pool-1",
    ...     pool_public_key=pool_key.public_key,
    ...     quantum_key=quantum_key,
    ... )
    >>> open_message(Package.from_text(package.to_text()), seed=pool_key.seed, quantum_key=quantum_key)
    b'text'
    """
    check_message(message)
    envelope, file_key = seal(
        header,
        pool_key_id=pool_key_id,
        pool_public_key=pool_public_key,
        quantum_key=quantum_key,
        pool_suite=pool_suite,
        passphrase=passphrase,
    )
    return Package(envelope=envelope, body=body.seal_bytes(file_key, header.digest(), message))


def open_message(
    package: Package,
    *,
    seed: bytes,
    quantum_key: bytes,
    pool_suite: Suite = DEFAULT_SUITE,
    context: bytes | None = None,
    passphrase: str | None = None,
) -> bytes:
    """Decrypt a message.

    Unlike ``open_envelope`` it also refuses a wrong quantum key or passphrase, which the body shows.

    >>> import os
    >>> from qkdseal import generate_key_pair
    >>> pool_key = generate_key_pair()
    >>> package = seal_message(
    ...     Header.of(file_id="letter-7", quantum_key_id="session-1.0"),
    ...     b"text",
    ...     pool_key_id="pool-1",
    ...     pool_public_key=pool_key.public_key,
    ...     quantum_key=os.urandom(32),
    ... )
    >>> open_message(package, seed=pool_key.seed, quantum_key=os.urandom(32))
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.

    Raises:
        PackageInvalid: as ``open_envelope``, or a wrong quantum key, passphrase or body.
        ValueError: as ``open_envelope``.
    """
    file_key = open_envelope(
        package.envelope,
        seed=seed,
        quantum_key=quantum_key,
        pool_suite=pool_suite,
        context=context,
        passphrase=passphrase,
    )
    return body.open_bytes(file_key, package.envelope.header.digest(), package.body)
