"""One attempt to turn a plaintext object into an encrypted one: read ahead, hashed, encrypted, hashed, uploaded."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime

from apps.common import clock
from apps.common.errors import Refused
from apps.files.bodies import objects
from apps.files.bodies.media_types import UNKNOWN, Head
from apps.files.bodies.objects import ObjectRef
from apps.files.bodies.read_ahead import read_ahead
from apps.files.bodies.writer import ObjectWriter
from apps.files.records import File, FileStatus
from qkdseal.body import PIECE_SIZE, encrypt_pieces
from qkdseal.digests import PlaintextDigest
from qkdseal.streams import Source

PROGRESS_BYTES = 64 * 2**20

Progress = Callable[[int], object]


class AttemptTooLong(Refused):
    """The encryption took longer than its quantum key stays reserved; it has to begin anew."""


def written(
    file: File,
    plaintext: Source,
    place: ObjectRef,
    *,
    file_key: bytes,
    context: bytes,
    until: datetime,
    progress: Progress | None = None,
) -> File:
    """Write the encrypted body of a plaintext to ``place``; the record with what was learnt on the way.

    Args:
        file: the record as it is.
        plaintext: read to its end.
        place: bucket and key that no other attempt writes.
        file_key: 32 bytes, used for nothing else.
        context: the digest of the package's header.
        until: when the attempt has to give up: the sweep ends its reservation then, and removes its body.
        progress: is told the bytes encrypted so far, now and then.

    Raises:
        AttemptTooLong: ``until`` has come; nothing was written.
    """
    head, mac = Head(), PlaintextDigest(key=file_key, context=context)

    def seen(data: memoryview) -> None:
        head.update(data)
        mac.update(data)

    parts = read_ahead(plaintext, piece=PIECE_SIZE, seen=seen)
    with closing(parts), _writer(place, file) as sink:
        digest = encrypt_pieces(_watched(parts, until, progress), sink, key=file_key, context=context)
    assert sink.ref is not None  # noqa: S101 - the block ended well
    if objects.size_of(sink.ref) != digest.ciphertext_size:
        raise OSError(f"The body of file {file.file_id} was not stored whole.")
    found = head.media_type(file.name)
    return replace(
        file,
        status=FileStatus.ENCRYPTED,
        size=digest.plaintext_size,
        ciphertext_size=digest.ciphertext_size,
        ciphertext_sha256=sink.sha256,
        plaintext_hmac=mac.hexdigest(),
        sniffed_type=found,
        media_type=found if file.media_type == UNKNOWN else file.media_type,
        body=sink.ref.as_document(),
        upload={},
    )


def _writer(place: ObjectRef, file: File) -> ObjectWriter:
    return ObjectWriter(place.bucket, place.key, storage_class=file.storage_class.value)


def _watched(parts: Iterator[memoryview], until: datetime, progress: Progress | None) -> Iterator[memoryview]:
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
        raise AttemptTooLong("The encryption took too long; it begins anew.")
