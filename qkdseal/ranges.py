"""Reading a part of a body, which the Cobblestone256 of ``cryptography`` does not offer: chunk by chunk."""

from collections.abc import Callable, Iterator

from qkdseal.chunks import (
    CHUNK_SIZE,
    HEADER_SIZE,
    SEALED_CHUNK_SIZE,
    TAG_SIZE,
    ChunkKeys,
    check_key,
    ciphertext_size,
)
from qkdseal.errors import PackageInvalid
from qkdseal.streams import CHUNKS_PER_READ, Source, fill

ReadAt = Callable[[int, int], bytes]  # (offset, length) to that part of the body
# One read of a range: few enough round trips to S3, and about 1 MiB of memory.
CHUNKS_PER_RANGE_READ = 64


def decrypt_range(read_at: ReadAt, *, key: bytes, context: bytes, start: int, stop: int, size: int) -> bytes:
    """Decrypt ``plaintext[start:stop]``, reading only the header and the chunks that hold it.

    >>> import os
    >>> from qkdseal import seal_bytes
    >>> key, text = os.urandom(32), os.urandom(1_000_000)
    >>> body = seal_bytes(key, b"", text)
    >>> def read_at(offset, length):
    ...     return body[offset : offset + length]
    >>> part = decrypt_range(read_at, key=key, context=b"", start=500_000, stop=500_010, size=len(text))
    >>> part == text[500_000:500_010]
    True

    Arguments and errors as ``decrypt_range_chunks``.
    """
    return b"".join(
        decrypt_range_chunks(read_at, key=key, context=context, start=start, stop=stop, size=size)
    )


def decrypt_range_chunks(
    read_at: ReadAt, *, key: bytes, context: bytes, start: int, stop: int, size: int
) -> Iterator[bytes]:
    """Decrypt ``plaintext[start:stop]`` in pieces of about 1 MiB, for ranges of any length.

    A range that reaches the end also reads the last chunk, which proves that the plaintext ends there.

    >>> from qkdseal import seal_bytes
    >>> body = seal_bytes(bytes(32), b"", bytes(3_000_000))
    >>> pieces = decrypt_range_chunks(
    ...     lambda offset, length: body[offset : offset + length],
    ...     key=bytes(32), context=b"", start=0, stop=2_500_000, size=3_000_000,
    ... )
    >>> [len(piece) for piece in pieces]
    [1048576, 1048576, 402848]

    Args:
        read_at: (offset, length) to that part of the body.
        key: 32 bytes.
        context: as when it was encrypted.
        start: the first byte wanted.
        stop: one after the last byte wanted.
        size: of the whole plaintext in bytes, as recorded; with a wrong one a chunk does not authenticate.

    Raises:
        ValueError: not 0 <= start <= stop <= size, or a key of the wrong length; raised by the call itself.
        PackageInvalid: from the iterator: a part is cut or changed, or not under this key and context.
    """
    if not 0 <= start <= stop <= size:
        raise ValueError(f"The range {start} to {stop} is not within 0 to {size}.")
    check_key(key)
    return _range_chunks(read_at, key, context, start, stop, size)


def decrypt_from(
    source: Source, *, key: bytes, context: bytes, header: bytes, first_chunk: int
) -> Iterator[bytes]:
    """Decrypt a body from chunk ``first_chunk`` on; see ``body.decrypt_chunks``."""
    check_key(key)
    if len(header) != HEADER_SIZE:
        raise ValueError(f"The header of a body has {HEADER_SIZE} bytes; this one has {len(header)}.")
    if first_chunk < 0:
        raise ValueError(f"The first chunk has the index 0; {first_chunk} is none.")
    return _chunks_from(source, key, context, header, first_chunk)


def _chunks_from(source: Source, key: bytes, context: bytes, header: bytes, index: int) -> Iterator[bytes]:
    keys = ChunkKeys.of(header, key=key, context=context)
    buffer = memoryview(bytearray(CHUNKS_PER_READ * SEALED_CHUNK_SIZE))
    while (count := fill(source, buffer)) == len(buffer):
        yield keys.open_run(buffer, first=index)
        index += CHUNKS_PER_READ
    # A body ends with a short chunk. Whole chunks and nothing after them are a body that was cut between two.
    if count % SEALED_CHUNK_SIZE < TAG_SIZE:
        raise PackageInvalid
    if last := keys.open_run(buffer[:count], first=index):
        yield last


def _range_chunks(
    read_at: ReadAt, key: bytes, context: bytes, start: int, stop: int, size: int
) -> Iterator[bytes]:
    keys = ChunkKeys.of(read_at(0, HEADER_SIZE), key=key, context=context)
    chunks_end = ciphertext_size(size) - HEADER_SIZE
    end = size // CHUNK_SIZE + 1 if stop == size else -(-stop // CHUNK_SIZE)
    for first in range(start // CHUNK_SIZE, end, CHUNKS_PER_RANGE_READ):
        after = min(first + CHUNKS_PER_RANGE_READ, end)
        offset = first * SEALED_CHUNK_SIZE
        length = min(after * SEALED_CHUNK_SIZE, chunks_end) - offset
        sealed = read_at(HEADER_SIZE + offset, length)
        if len(sealed) != length:
            raise PackageInvalid
        base = first * CHUNK_SIZE
        yield keys.open_run(memoryview(sealed), first=first)[max(start - base, 0) : stop - base]
