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
    """Bytes of the body of a plaintext of ``plaintext_size`` bytes."""
    return HEADER_SIZE + plaintext_size + TAG_SIZE * (plaintext_size // CHUNK_SIZE + 1)


def plaintext_size(ciphertext_size: int) -> int:
    """Bytes of the plaintext in a body of ``ciphertext_size`` bytes.

    Raises:
        PackageInvalid: no body has this size.
    """
    chunks, last = divmod(ciphertext_size - HEADER_SIZE, SEALED_CHUNK_SIZE)
    if chunks < 0 or last < TAG_SIZE:
        raise PackageInvalid
    return chunks * CHUNK_SIZE + last - TAG_SIZE


@dataclass(frozen=True, slots=True, repr=False)
class ChunkKeys:
    """Opens single chunks of one body."""

    aead: AESGCM
    base_nonce: int

    @classmethod
    def of(cls, header: bytes, key: bytes, context: bytes) -> "ChunkKeys":
        salt, commitment = header[:SALT_SIZE], header[SALT_SIZE:]
        okm = HKDFExpand(SHA512(), KEY_SIZE + NONCE_SIZE + COMMITMENT_SIZE, _INFO + salt + context).derive(
            key
        )
        if not hmac.compare_digest(okm[KEY_SIZE + NONCE_SIZE :], commitment):
            raise PackageInvalid
        return cls(AESGCM(okm[:KEY_SIZE]), int.from_bytes(okm[KEY_SIZE : KEY_SIZE + NONCE_SIZE], "big"))

    def open(self, index: int, sealed: bytes) -> bytes:
        nonce = (self.base_nonce ^ index).to_bytes(NONCE_SIZE, "big")
        try:
            return self.aead.decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError):
            raise PackageInvalid from None
