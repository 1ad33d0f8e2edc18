"""The keyed digest of a plaintext, computed while it streams by."""

import hmac

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from qkdseal.encoding import encode_fields

DIGEST_KEY_SIZE = 32
_LABEL = b"qkdplatform package plaintext digest v1"


def digest_key(file_key: bytes, *, context: bytes) -> bytes:
    """The key of a plaintext's digest, 32 bytes; each package has its own, so equal files cannot be told by it."""
    return HKDFExpand(SHA512(), DIGEST_KEY_SIZE, encode_fields(_LABEL, context)).derive(file_key)


class PlaintextDigest:
    """HMAC-SHA-256 of a plaintext under a key that only those who can decrypt the file can have.

    >>> digest = PlaintextDigest(key=bytes(32), context=b"letter 7")
    >>> digest.update(b"text")
    >>> digest.hexdigest()[:16]
    'cbf4fdac5a6a4cbc'

    Args:
        key: the file key.
        context: as for the body: the digest of the package's header.
    """

    def __init__(self, *, key: bytes, context: bytes) -> None:
        self._mac = hmac.new(digest_key(key, context=context), digestmod="sha256")

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        self._mac.update(data)

    def hexdigest(self) -> str:
        """The digest of all bytes taken so far, in hex."""
        return self._mac.hexdigest()
