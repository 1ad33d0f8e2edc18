"""The body of a package: C2SP chunked encryption, instance Cobblestone-256 (https://c2sp.org/chunked-encryption).

AES-256-GCM over chunks of 16 KiB, under a key, a base nonce and a 32-byte commitment that HKDF-Expand with
SHA-512 derives from the input key, a random 24-byte salt and the context. Salt and commitment stand in front
(56 bytes), each chunk carries a tag (16 bytes), the last chunk is always shorter than the others. So a body
cannot be cut, extended or reordered, nor be opened under another key or context, and any range of it can be
read without the rest.

Streams go through the native Cobblestone256 of ``cryptography``; ranges, which it does not offer, through the
chunk keys here. Plaintext leaves only after its chunk was authenticated: a stream that fails midway has
released nothing but true, whole chunks, and its consumer has to discard or cut off what it got.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from qkdseal.chunks import (
    CHUNK_SIZE,
    HEADER_SIZE,
    KEY_SIZE,
    SEALED_CHUNK_SIZE,
    ChunkKeys,
    ciphertext_size,
    plaintext_size,
)
from qkdseal.errors import PackageInvalid
from qkdseal.streams import Sink, Source, pieces, read_up_to, write_all

__all__ = [
    "CHUNK_SIZE",
    "HEADER_SIZE",
    "KEY_SIZE",
    "PIECE_SIZE",
    "SEALED_CHUNK_SIZE",
    "BodyDigest",
    "ciphertext_size",
    "decrypt_range",
    "decrypt_stream",
    "decrypted_chunks",
    "decrypted_range",
    "encrypt_pieces",
    "encrypt_stream",
    "open_bytes",
    "plaintext_size",
    "seal_bytes",
]
# Each of a stream's two buffers stays below 128 KiB, both inside a core's second-level cache
CHUNKS_PER_READ = 7
PIECE_SIZE = CHUNKS_PER_READ * CHUNK_SIZE
# One read of a range: few enough round trips to S3, and about 1 MiB of memory.
CHUNKS_PER_RANGE_READ = 64


@dataclass(frozen=True, slots=True)
class BodyDigest:
    """What was written: sizes in bytes, and the SHA-256 of the ciphertext in hex (empty if not asked for)."""

    plaintext_size: int
    ciphertext_size: int
    sha256: str


def encrypt_stream(
    source: Source, sink: Sink, *, key: bytes, context: bytes, hashed: bool = True
) -> BodyDigest:
    """Encrypt a stream of any length in constant memory.

    Args:
        source: the plaintext, read to its end.
        sink: takes the body.
        key: 32 uniformly random bytes.
        context: bytes that the reader has to name again; not secret, not stored.
        hashed: also compute the SHA-256 of the body, which costs more than the encryption itself.

    Raises:
        ValueError: the key has the wrong length.
    """
    parts = pieces(source, PIECE_SIZE)
    return encrypt_pieces(parts, sink, key=key, context=context, hashed=hashed)


def encrypt_pieces(
    parts: Iterable[memoryview | bytes], sink: Sink, *, key: bytes, context: bytes, hashed: bool = False
) -> BodyDigest:
    """Encrypt what comes in pieces of at most ``PIECE_SIZE`` bytes; as ``encrypt_stream`` otherwise."""
    encryptor = Cobblestone256Encryptor(key, context)
    digest = hashlib.sha256() if hashed else None
    output = memoryview(bytearray(HEADER_SIZE + CHUNKS_PER_READ * SEALED_CHUNK_SIZE))
    read = written = 0
    for piece in parts:
        sealed = output[: encryptor.update_into(piece, output)]
        if digest:
            digest.update(sealed)
        write_all(sink, sealed)
        read += len(piece)
        written += len(sealed)
    last = encryptor.finalize()
    if digest:
        digest.update(last)
    write_all(sink, memoryview(last))
    return BodyDigest(read, written + len(last), digest.hexdigest() if digest else "")


def decrypt_stream(source: Source, sink: Sink, *, key: bytes, context: bytes) -> int:
    """Decrypt a body in constant memory; returns the plaintext's size in bytes.

    Raises:
        PackageInvalid: the body is not whole and unchanged under this key and context. What the sink got until
            then are true leading chunks, and nothing else.
        ValueError: the key has the wrong length.
    """
    decryptor = Cobblestone256Decryptor(key, context)
    output = memoryview(bytearray(CHUNKS_PER_READ * CHUNK_SIZE))
    size = 0
    try:
        decryptor.update(read_up_to(source, HEADER_SIZE))  # then the chunks lie aligned in the reads
        for piece in pieces(source, CHUNKS_PER_READ * SEALED_CHUNK_SIZE):
            opened = output[: decryptor.update_into(piece, output)]
            write_all(sink, opened)
            size += len(opened)
        last = decryptor.finalize()
    except InvalidTag:
        raise PackageInvalid from None
    write_all(sink, memoryview(last))
    return size + len(last)


def decrypted_chunks(source: Source, *, key: bytes, context: bytes) -> Iterator[bytes]:
    """The plaintext of a body in pieces of at most 112 KiB, for a streamed response.

    Raises:
        PackageInvalid: as ``decrypt_stream``, from the iterator; the consumer has to break the response off.
        ValueError: the key has the wrong length; raised by the call itself.
    """
    return _decrypted_chunks(source, Cobblestone256Decryptor(key, context))


def seal_bytes(key: bytes, context: bytes, data: bytes) -> bytes:
    """The body of a message that fits in memory."""
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(data) + encryptor.finalize()


def open_bytes(key: bytes, context: bytes, data: bytes) -> bytes:
    """The message in a body.

    Raises:
        PackageInvalid: the body is not whole and unchanged under this key and context.
        ValueError: the key has the wrong length.
    """
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        return decryptor.update(data) + decryptor.finalize()
    except InvalidTag:
        raise PackageInvalid from None


def decrypt_range(
    read_at: Callable[[int, int], bytes], *, key: bytes, context: bytes, start: int, stop: int, size: int
) -> bytes:
    """``plaintext[start:stop]``, reading the header and the chunks that hold it; see ``decrypted_range``."""
    return b"".join(decrypted_range(read_at, key=key, context=context, start=start, stop=stop, size=size))


def decrypted_range(
    read_at: Callable[[int, int], bytes], *, key: bytes, context: bytes, start: int, stop: int, size: int
) -> Iterator[bytes]:
    """``plaintext[start:stop]`` in pieces, reading the header and the chunks that hold it, about 1 MiB at once.

    A range that reaches the end also reads the last chunk, which proves that the plaintext ends there.

    Args:
        read_at: (offset, length) to that part of the body.
        key: 32 bytes.
        context: as when it was encrypted.
        start: first byte wanted.
        stop: one after the last byte wanted.
        size: of the whole plaintext in bytes, as recorded; with a wrong one a chunk does not authenticate.

    Raises:
        ValueError: not 0 <= start <= stop <= size, or a key of the wrong length; raised by the call itself.
        PackageInvalid: from the iterator: a part is cut or changed, or not under this key and context.
    """
    if not 0 <= start <= stop <= size:
        raise ValueError(f"the range {start} to {stop} does not lie in 0 to {size}")
    if len(key) != KEY_SIZE:
        raise ValueError(f"a body key has {KEY_SIZE} bytes, this has {len(key)}")
    return _decrypted_range(read_at, key, context, start, stop, size)


def _decrypted_range(
    read_at: Callable[[int, int], bytes], key: bytes, context: bytes, start: int, stop: int, size: int
) -> Iterator[bytes]:
    keys = ChunkKeys.of(read_at(0, HEADER_SIZE), key, context)
    last_chunk = size // CHUNK_SIZE
    end = last_chunk + 1 if stop == size else -(-stop // CHUNK_SIZE)
    for first in range(start // CHUNK_SIZE, end, CHUNKS_PER_RANGE_READ):
        after = min(first + CHUNKS_PER_RANGE_READ, end)
        offset = HEADER_SIZE + first * SEALED_CHUNK_SIZE
        length = (
            min(after * SEALED_CHUNK_SIZE, ciphertext_size(size) - HEADER_SIZE) - first * SEALED_CHUNK_SIZE
        )
        sealed = read_at(offset, length)
        if len(sealed) != length:
            raise PackageInvalid
        parts = (
            keys.open(index, sealed[(index - first) * SEALED_CHUNK_SIZE :][:SEALED_CHUNK_SIZE])
            for index in range(first, after)
        )
        base = first * CHUNK_SIZE
        yield b"".join(parts)[max(start - base, 0) : stop - base]


def _decrypted_chunks(source: Source, decryptor: Cobblestone256Decryptor) -> Iterator[bytes]:
    try:
        decryptor.update(read_up_to(source, HEADER_SIZE))
        for piece in pieces(source, CHUNKS_PER_READ * SEALED_CHUNK_SIZE):
            if opened := decryptor.update(piece):
                yield opened
        last = decryptor.finalize()
    except InvalidTag:
        raise PackageInvalid from None
    if last:
        yield last
