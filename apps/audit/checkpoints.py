"""Checkpoints, pure: what all chains' ends are at a moment, signed with ML-DSA-65 and chained (D5).

Who can write the tables can set a chain back with its head, or remove both; not so a checkpoint, which is signed and
kept outside of the tables. The newest one binds every entry before it: each hash covers the hash before.

    {"body": {...}, "signature": base64 of ML-DSA-65 over "qkdplatform checkpoint v1|" || canonical JSON of the body}

Who verifies needs no secret; the public key is in the body, its id is a hash of it. Source: FIPS 204.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from apps.common import clock

VERSION = 1
FIRST = hashlib.sha256(b"qkdplatform audit checkpoints").hexdigest()  # what the first one continues
LABEL = b"qkdplatform checkpoint v1|"
MAX_BYTES = 2**20  # 256 chains take 30 KB


class NotACheckpoint(Exception):
    """It was not signed by this platform, or not for this place; says why."""


@dataclass(frozen=True, slots=True)
class End:
    """Where a chain ended: its length, and the hash of its last entry."""

    length: int
    hash: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The ends of all chains at a moment.

    Args:
        number: its place, from 1.
        made_at: the moment.
        previous: the digest of the checkpoint before.
        ends: of the chains, by their names.
        public_key: of who signs it.
        held: chains that did not verify up to their ends, so that theirs is that of the checkpoint before.
    """

    number: int
    made_at: datetime
    previous: str
    ends: Mapping[str, End]
    public_key: bytes = field(repr=False)
    held: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"checkpoint {self.number} of {clock.as_text(self.made_at)}"

    @property
    def entries(self) -> int:
        """How many entries all chains had."""
        return sum(end.length for end in self.ends.values())

    @property
    def signer(self) -> str:
        """The id of the key that signs it."""
        return signer_id(self.public_key)

    def body(self) -> bytes:
        """What the signature covers, as canonical JSON."""
        return _canonical(
            {
                "version": VERSION,
                "number": self.number,
                "made_at": clock.as_text(self.made_at),
                "previous": self.previous,
                "held": list(self.held),
                "public_key": base64.b64encode(self.public_key).decode(),
                "ends": {chain: [end.length, end.hash] for chain, end in self.ends.items()},
            }
        )

    def signed_content(self) -> bytes:
        """What is signed."""
        return LABEL + self.body()

    def as_object(self, signature: bytes) -> bytes:
        """The object that is stored."""
        return _canonical(
            {"body": json.loads(self.body()), "signature": base64.b64encode(signature).decode()}
        )

    @classmethod
    def of(cls, stored: bytes, *, number: int) -> Self:
        """Read a stored object.

        Raises:
            NotACheckpoint: it is none, it is for another place, or its signature is not by the key it names.
        """
        if len(stored) > MAX_BYTES:
            raise NotACheckpoint("it is too large")
        try:
            document = json.loads(stored)
            made = cls._of_body(document["body"])
            signature = base64.b64decode(document["signature"], validate=True)
            MLDSA65PublicKey.from_public_bytes(made.public_key).verify(signature, made.signed_content())
        except InvalidSignature:
            raise NotACheckpoint("its signature does not fit") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
            raise NotACheckpoint("it is malformed") from None
        if made.number != number:
            raise NotACheckpoint(f"it is a copy of checkpoint {made.number}")
        return made

    @classmethod
    def _of_body(cls, body: Mapping[str, Any]) -> Self:
        if body["version"] != VERSION:
            raise ValueError("another version")
        return cls(
            number=int(body["number"]),
            made_at=clock.from_text(body["made_at"]),
            previous=str(body["previous"]),
            ends={
                str(chain): End(int(length), str(digest)) for chain, (length, digest) in body["ends"].items()
            },
            public_key=base64.b64decode(body["public_key"], validate=True),
            held=tuple(str(chain) for chain in body["held"]),
        )


def signer_id(public_key: bytes) -> str:
    """Return the id of a signing key: 32 hex digits of a hash of its public half."""
    return hashlib.sha256(b"qkdplatform checkpoint signer|" + public_key).hexdigest()[:32]


def digest_of(stored: bytes) -> str:
    """Return what the next checkpoint names this one by."""
    return hashlib.sha256(stored).hexdigest()


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
