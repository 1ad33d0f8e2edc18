"""The chunks of a body: where they lie, and how one of them is opened without the rest."""

import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from qkdseal.errors import PackageInvalid

KEY_SIZE = 32
CHUNK_SIZE = 16 * 1024
TAG_SIZE = 16
SALT_SIZE = 24
COMMITMENT_SIZE = 32
HEADER_SIZE = SALT_SIZE + COMMITMENT_SIZE
NONCE_SIZE = 12
SEALED_CHUNK_SIZE = CHUNK_SIZE + TAG_SIZE
_INFO = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


def ciphertext_size(plaintext_size: int) -> int:
    """The size in bytes of the body of a plaintext of ``plaintext_size`` bytes.

    >>> ciphertext_size(0), ciphertext_size(1_000_000)
    (72, 1001048)
    """
    return HEADER_SIZE + plaintext_size + TAG_SIZE * (plaintext_size // CHUNK_SIZE + 1)


def plaintext_size(ciphertext_size: int) -> int:
    """The size in bytes of the plaintext in a body of ``ciphertext_size`` bytes.

    >>> plaintext_size(1_001_048)
    1000000

    Raises:
        PackageInvalid: no body has this size.
    """
    chunks, last = divmod(ciphertext_size - HEADER_SIZE, SEALED_CHUNK_SIZE)
    if chunks < 0 or last < TAG_SIZE:
        raise PackageInvalid
    return chunks * CHUNK_SIZE + last - TAG_SIZE


def check_key(key: bytes) -> None:
    """Refuse a body key of the wrong length.

    Raises:
        ValueError: it has not 32 bytes.
    """
    if len(key) != KEY_SIZE:
        raise ValueError(f"A body key has {KEY_SIZE} bytes; this one has {len(key)}.")


@dataclass(frozen=True, slots=True, repr=False)
class ChunkKeys:
    """Opens single chunks of one body."""

    aead: AESGCM
    base_nonce: int

    @classmethod
    def of(cls, header: bytes, *, key: bytes, context: bytes) -> "ChunkKeys":
        """The keys of the body that begins with ``header``.

        Raises:
            PackageInvalid: the body was not made under this key and context.
        """
        salt, commitment = header[:SALT_SIZE], header[SALT_SIZE:]
        size = KEY_SIZE + NONCE_SIZE + COMMITMENT_SIZE
        okm = HKDFExpand(SHA512(), size, _INFO + salt + context).derive(key)
        if not hmac.compare_digest(okm[KEY_SIZE + NONCE_SIZE :], commitment):
            raise PackageInvalid
        return cls(AESGCM(okm[:KEY_SIZE]), int.from_bytes(okm[KEY_SIZE : KEY_SIZE + NONCE_SIZE], "big"))

    def open(self, sealed: bytes | memoryview, *, index: int) -> bytes:
        """Decrypt chunk ``index``.

        Raises:
            PackageInvalid: it is not that chunk, whole and unchanged.
        """
        nonce = (self.base_nonce ^ index).to_bytes(NONCE_SIZE, "big")
        try:
            return self.aead.decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError):
            raise PackageInvalid from None

    def open_run(self, sealed: memoryview, *, first: int) -> bytes:
        """Decrypt consecutive chunks, of which only the last may be short; ``first`` is the index of the first.

        Raises:
            PackageInvalid: one of them is not that chunk, whole and unchanged.
        """
        starts = range(0, len(sealed), SEALED_CHUNK_SIZE)
        return b"".join(
            self.open(sealed[start : start + SEALED_CHUNK_SIZE], index=index)
            for index, start in enumerate(starts, first)
        )
