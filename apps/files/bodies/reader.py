"""An S3 object's bytes as a stream."""

from typing import Any

from botocore.exceptions import (
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from apps.common import aws
from apps.files.bodies import checksums
from apps.files.bodies.objects import ObjectRef, error_of, skip_to
from qkdseal.streams import Source

CHECK_BYTES = 2**20  # read at once, to be checked only
REOPENINGS = 4  # of one stream: a connection that breaks off does not cost the gigabytes before it
BROKEN = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class ObjectDamaged(Exception):
    """An object's bytes do not have the checksum that S3 took when they were put."""


class ObjectSource:
    """An object's bytes, streamed; a connection that breaks off is taken up where it ended."""

    def __init__(self, ref: ObjectRef, *, checked: bool = False) -> None:
        self._ref, self._at = ref, 0
        self._reopenings, self._etag = 0, ""
        self._body: Any = None
        self._open()
        self._checksum = checksums.of_object(self._ref, self._answer) if checked else None

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end only."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill some or all of ``buffer``; 0 at the end only."""
        while True:
            try:
                count: int = self._body.readinto(buffer)
            except FlexibleChecksumError:
                raise ObjectDamaged(self._ref.key) from None
            except BROKEN:
                self._reopenings += 1
                if self._reopenings > REOPENINGS:
                    raise
                self._open()
            else:
                self._at += count
                self._check(buffer[:count])
                return count

    def _check(self, data: memoryview) -> None:
        if self._checksum is None:
            return
        if data:
            self._checksum.update(data)
        elif not self._checksum.matches():
            raise ObjectDamaged(self._ref.key)

    def _open(self) -> None:
        arguments = self._ref.arguments() | ({"Range": f"bytes={self._at}-"} if self._at else {})
        if self._reopenings and not self._ref.version:
            arguments["IfMatch"] = self._etag  # never the rest of another object
        try:
            answer = aws.client("s3").get_object(**arguments)
        except ClientError as error:
            raise error_of(error) from None
        self._answer = answer
        self._body, self._etag = skip_to(answer, self._at), answer["ETag"]


def is_whole(ref: ObjectRef) -> bool:
    """Return whether an object's bytes, read once more, are those that were put.

    Raises:
        ObjectGone: it does not exist.
    """
    buffer = memoryview(bytearray(CHECK_BYTES))
    source = ObjectSource(ref, checked=True)
    try:
        while source.readinto(buffer):
            pass
    except ObjectDamaged:
        return False
    return True


def stream(ref: ObjectRef, *, checked: bool = False) -> Source:
    """An object's bytes, streamed; ``checked`` against what S3 knows of them, where they do not authenticate themselves.

    Raises:
        ObjectGone: it does not exist.
        ObjectDamaged: (at its end) the bytes are others than those that were put.
    """
    return ObjectSource(ref, checked=checked)
