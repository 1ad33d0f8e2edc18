"""What is learnt of a plaintext while it streams by: a keyed digest, its size, its first bytes."""

import hmac

import puremagic
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from qkdseal.encoding import length_prefixed

DIGEST_KEY_SIZE = 32
HEAD_BYTES = 8192  # enough for every signature that stands at or near the start
UNKNOWN = "application/octet-stream"
_LABEL = b"qkdplatform package plaintext digest v1"


def digest_key(file_key: bytes, header_digest: bytes) -> bytes:
    """The key of a plaintext's digest, 32 bytes: of this package alone, so equal files do not show."""
    return HKDFExpand(SHA512(), DIGEST_KEY_SIZE, length_prefixed(_LABEL, header_digest)).derive(file_key)


class PlaintextDigest:
    """HMAC-SHA-256 of a plaintext under a key that only who can decrypt the file can have."""

    def __init__(self, file_key: bytes, header_digest: bytes) -> None:
        self._mac = hmac.new(digest_key(file_key, header_digest), digestmod="sha256")
        self._head = b""

    def update(self, data: memoryview) -> None:
        """The next bytes."""
        self._mac.update(data)
        if len(self._head) < HEAD_BYTES:
            self._head += bytes(data[: HEAD_BYTES - len(self._head)])

    def hexdigest(self) -> str:
        """Of all bytes until now."""
        return self._mac.hexdigest()

    def media_type(self, name: str) -> str:
        """The media type that the first bytes tell, the name deciding between those that look alike."""
        return sniffed(self._head, name)


def sniffed(head: bytes, name: str) -> str:
    """The media type of a file that starts with ``head``; ``application/octet-stream`` if nothing is known."""
    if not head:
        return UNKNOWN
    try:
        found = puremagic.magic_string(head, filename=name)
    except (puremagic.PureError, ValueError):
        return _text_or_unknown(head)
    types = [match.mime_type for match in found if match.mime_type and match.byte_match]
    return types[0] if types else _text_or_unknown(head)


def _text_or_unknown(head: bytes) -> str:
    try:
        head[:-4].decode() if len(head) >= HEAD_BYTES else head.decode()  # a character may be cut at the end
    except UnicodeDecodeError:
        return UNKNOWN
    return UNKNOWN if b"\0" in head else "text/plain"
