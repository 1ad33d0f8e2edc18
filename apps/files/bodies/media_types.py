"""The media type of a file, told by its first bytes."""

import puremagic

from apps.files.records import UNKNOWN_TYPE

HEAD_BYTES = 8192  # enough for every signature that stands at or near the start


class Head:
    """Keeps the first bytes of a plaintext while it streams by."""

    def __init__(self) -> None:
        self._bytes = b""

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""
        if len(self._bytes) < HEAD_BYTES:
            self._bytes += bytes(data[: HEAD_BYTES - len(self._bytes)])

    def media_type(self, name: str) -> str:
        """The media type of the file, its name deciding between types that look alike."""
        return media_type_of(self._bytes, name)


def media_type_of(head: bytes, name: str) -> str:
    """The media type of a file that starts with ``head``; ``application/octet-stream`` if none is recognised."""
    if not head:
        return UNKNOWN_TYPE
    try:
        found = puremagic.magic_string(head, filename=name)
    except (puremagic.PureError, ValueError):
        return _text_or_unknown(head)
    types = [match.mime_type for match in found if match.mime_type and match.byte_match]
    return types[0] if types else _text_or_unknown(head)


def _text_or_unknown(head: bytes) -> str:
    try:
        # A head of full length may end in the middle of a character, which has at most four bytes.
        head[:-4].decode() if len(head) >= HEAD_BYTES else head.decode()
    except UnicodeDecodeError:
        return UNKNOWN_TYPE
    return UNKNOWN_TYPE if b"\0" in head else "text/plain"
