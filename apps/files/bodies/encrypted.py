"""One attempt to turn a plaintext object into an encrypted one: read ahead, hashed, encrypted, uploaded."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from apps.common import clock
from apps.common.errors import Refused
from apps.files.bodies import digests, objects
from apps.files.bodies.media_types import Head
from apps.files.bodies.objects import ObjectRef
from apps.files.bodies.read_ahead import read_ahead
from apps.files.bodies.writer import ObjectWriter
from apps.files.records import DigestBy, StorageClass
from qkdseal.body import PIECE_SIZE, encrypt_pieces
from qkdseal.header import Header
from qkdseal.streams import Source

PROGRESS_BYTES = 64 * 2**20

Progress = Callable[[int], object]


class AttemptTooLong(Refused):
    """The encryption took longer than its quantum key stays reserved; it has to start again."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was learnt of a content while it was encrypted; named as in the record that keeps it."""

    body: Mapping[str, str]
    size: int
    ciphertext_size: int
    sealed_digest: bytes
    sniffed_type: str
    digest_by: DigestBy = DigestBy.PLATFORM
    damage: str | None = None


def write(
    plaintext: Source,
    place: ObjectRef,
    *,
    name: str,
    file_key: bytes,
    header: Header,
    until: datetime,
    storage_class: StorageClass = StorageClass.STANDARD,
    progress: Progress | None = None,
) -> Written:
    """Write the encrypted body of a plaintext to ``place``.

    Args:
        plaintext: read to its end.
        place: bucket and key that no other attempt writes.
        name: of the file; decides between media types that look alike.
        file_key: 32 bytes, used for nothing else.
        header: of the file's envelope.
        until: when the attempt has to give up: the sweep ends its reservation then, and removes its body.
        storage_class: of the body.
        progress: is told the bytes encrypted so far, now and then.

    Raises:
        AttemptTooLong: ``until`` has come; nothing was written.
    """
    head, sha256 = Head(), hashlib.sha256()

    def see(data: memoryview) -> None:
        head.update(data)
        sha256.update(data)

    parts = read_ahead(plaintext, piece=PIECE_SIZE, seen=see)
    told = objects.metadata_of(header.file_id, header.body)
    sink = ObjectWriter(place.bucket, place.key, storage_class=storage_class.value, metadata=told)
    with closing(parts), sink:
        written = encrypt_pieces(_watch(parts, until, progress), sink, key=file_key, context=header.digest())
    assert sink.ref is not None  # noqa: S101 - the block ended well
    # S3 acknowledged it; this one question more makes sure before the plaintext is removed
    if objects.size_of(sink.ref) != written.ciphertext_size:
        raise OSError(f"The body {place.key} was not stored whole.")
    return Written(
        body=sink.ref.as_document(),
        size=written.plaintext_size,
        ciphertext_size=written.ciphertext_size,
        sealed_digest=digests.seal(sha256.digest(), header=header, file_key=file_key),
        sniffed_type=head.media_type(name),
    )


def _watch(parts: Iterator[memoryview], until: datetime, progress: Progress | None) -> Iterator[memoryview]:
    """The parts; stops where time is up, tells how far it is."""
    told = done = 0
    for part in parts:
        yield part
        done += len(part)
        if done - told >= PROGRESS_BYTES:
            _check(until)
            if progress is not None:
                progress(done)
            told = done
    _check(until)


def _check(until: datetime) -> None:
    if clock.now() >= until:
        raise AttemptTooLong(
            "The encryption took longer than its quantum key stays reserved. It starts again."
        )
