"""What S3 knows of an object's bytes, to be compared with what was read.

S3 keeps a CRC of every object (CRC-64/NVME unless the writer chose another); an object in parts has one of the whole
or one of the parts' CRCs, and the latter says nothing here. A store that keeps none has at least an MD5, as the ETag.
"""

import base64
import hashlib
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import anycrc

from apps.common import aws
from apps.files.bodies.objects import ObjectRef

_CRCS = {
    "ChecksumCRC64NVME": ("CRC64-NVME", 8),
    "ChecksumCRC32C": ("CRC32-ISCSI", 4),
    "ChecksumCRC32": ("CRC32-ISO-HDLC", 4),
}
_HASHES: dict[str, Callable[[], Any]] = {
    "ChecksumSHA256": hashlib.sha256,
    "ChecksumSHA1": partial(hashlib.sha1, usedforsecurity=False),
}
_ETAG = re.compile(r'"?([0-9a-f]{32})(?:-([0-9]+))?"?')


class Checksum(Protocol):
    """Takes an object's bytes in order, and says at their end whether they are those that were put."""

    def update(self, data: memoryview, /) -> None: ...

    def matches(self) -> bool: ...


class _Crc:
    def __init__(self, model: str, size: int, expected: str) -> None:
        self._model, self._size, self._expected = anycrc.Model(model), size, expected
        self._value = self._model.calc(b"")

    def update(self, data: memoryview, /) -> None:
        self._value = self._model.calc(data, self._value)

    def matches(self) -> bool:
        return base64.b64encode(self._value.to_bytes(self._size, "big")).decode() == self._expected


class _Hash:
    def __init__(self, made: Any, expected: bytes) -> None:
        self._hash, self._expected = made, expected

    def update(self, data: memoryview, /) -> None:
        self._hash.update(data)

    def matches(self) -> bool:
        return bool(self._hash.digest() == self._expected)


class _PartsMd5:
    """The MD5 of the MD5s of an object's parts, which all have one size but the last."""

    def __init__(self, part_size: int, expected: str, unequal: Callable[[], bool]) -> None:
        self._size, self._expected, self._unequal = part_size, expected, unequal
        self._part, self._filled, self._digests = _md5(), 0, b""

    def update(self, data: memoryview, /) -> None:
        while data:
            taken = data[: self._size - self._filled]
            self._part.update(taken)
            self._filled += len(taken)
            if self._filled == self._size:
                self._end_part()
            data = data[len(taken) :]

    def matches(self) -> bool:
        if self._filled or not self._digests:
            self._end_part()
        return _md5(self._digests).hexdigest() == self._expected or self._unequal()

    def _end_part(self) -> None:
        self._digests += self._part.digest()
        self._part, self._filled = _md5(), 0


def _md5(data: bytes = b"") -> Any:
    return hashlib.md5(data, usedforsecurity=False)


def of_object(ref: ObjectRef, answer: Mapping[str, Any]) -> Checksum | None:
    """What an object's bytes are compared with; None where the store knows nothing of them.

    Args:
        ref: the object.
        answer: to its GET, or HEAD with ``ChecksumMode``.
    """
    if answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        for name, (model, size) in _CRCS.items():
            if is_whole(answer.get(name)):
                return _Crc(model, size, answer[name])
        for name, make in _HASHES.items():
            if is_whole(answer.get(name)):
                return _Hash(make(), base64.b64decode(answer[name]))
    return None if "SSEKMSKeyId" in answer else _of_etag(ref, answer)


def is_whole(checksum: str | None) -> bool:
    """Return whether a checksum is of an object's bytes: with a dash it is one of its parts' checksums."""
    return checksum is not None and "-" not in checksum


def _of_etag(ref: ObjectRef, answer: Mapping[str, Any]) -> Checksum | None:
    """By the ETag, where it is an MD5: not under a KMS key."""
    found = _ETAG.fullmatch(answer["ETag"])
    if found is None:
        return None
    digest, parts = found.groups()
    if parts is None:
        return _Hash(_md5(), bytes.fromhex(digest))
    size, count = _part_size(ref, 1), int(parts)
    if size == 0 or math.ceil(answer["ContentLength"] / size) != count:
        return None
    return _PartsMd5(size, digest, lambda: _are_unequal(ref, size, count))


def _are_unequal(ref: ObjectRef, size: int, count: int) -> bool:
    """Return whether an object has parts of another size: then its ETag cannot be made from its bytes alone."""
    return any(_part_size(ref, number) != size for number in range(2, count))


def _part_size(ref: ObjectRef, number: int) -> int:
    return int(aws.client("s3").head_object(**ref.arguments(), PartNumber=number)["ContentLength"])
