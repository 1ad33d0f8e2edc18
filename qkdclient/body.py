"""Bodies encrypted and decrypted here, as docs/package-format.md says: C2SP chunked encryption, Cobblestone-256.

Encryption takes the library's native implementation. Decryption goes chunk by chunk, so that it can begin at any
chunk: an interrupted download goes on where it stopped.
"""

import base64
import hmac
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from cryptography.cobblestone import Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

FORMAT = "c2sp-cobblestone-256"
CHUNK = 16 * 1024
TAG = 16
SALT, COMMITMENT = 24, 32
HEADER = SALT + COMMITMENT
SEALED_CHUNK = CHUNK + TAG
CHUNKS_AT_ONCE = 64
_INFO = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
_DIGEST_LABEL = b"qkdplatform package plaintext digest v1"


class Damaged(Exception):
    """What was downloaded does not open under the file's key, or is not the whole file."""


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end only."""


def secrets_of(document: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """A file's key and context, out of what the platform tells."""
    return base64.b64decode(document["key"]), base64.b64decode(document["context"])


class PlaintextDigest:
    """The keyed digest of a plaintext that the platform records."""

    def __init__(self, key: bytes, context: bytes) -> None:
        info = b"".join(len(part).to_bytes(4, "big") + part for part in (_DIGEST_LABEL, context))
        self._mac = hmac.new(HKDFExpand(SHA512(), 32, info).derive(key), digestmod="sha256")
        self.update = self._mac.update
        self.hexdigest = self._mac.hexdigest


def sealed(source: Readable, *, key: bytes, context: bytes, digest: PlaintextDigest) -> Iterator[bytes]:
    """The body of a stream, in pieces of about 1 MiB."""
    encryptor = Cobblestone256Encryptor(key, context)
    while piece := source.read(CHUNK * CHUNKS_AT_ONCE):
        digest.update(piece)
        yield encryptor.update(piece)
    yield encryptor.finalize()


class Opener:
    """Opens the chunks of one body, from its first 56 bytes on.

    Raises:
        Damaged: they were not made with this key and context.
    """

    def __init__(self, header: bytes, *, key: bytes, context: bytes) -> None:
        info = _INFO + header[:SALT] + context
        derived = HKDFExpand(SHA512(), 32 + 12 + COMMITMENT, info).derive(key)
        if not hmac.compare_digest(derived[44:], header[SALT:]):
            raise Damaged("not encrypted under this file's key")
        self._aead, self._nonce = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")

    def opened(self, source: Readable, *, first: int) -> Iterator[bytes]:
        """The plaintext from chunk ``first`` on, where ``source`` begins; ends well at the body's true end only.

        Raises:
            Damaged: a chunk is changed, or the end is missing.
        """
        index, pending = first, b""
        while piece := source.read(SEALED_CHUNK * CHUNKS_AT_ONCE):
            pending += piece
            whole = len(pending) // SEALED_CHUNK
            for number in range(whole):
                yield self._open(index, pending[number * SEALED_CHUNK : (number + 1) * SEALED_CHUNK])
                index += 1
            pending = pending[whole * SEALED_CHUNK :]
        if len(pending) < TAG:
            raise Damaged("the end is missing")
        yield self._open(index, pending)

    def _open(self, index: int, chunk: bytes) -> bytes:
        try:
            return self._aead.decrypt((self._nonce ^ index).to_bytes(12, "big"), chunk, None)
        except InvalidTag:
            raise Damaged("a chunk was changed") from None
