"""The body of a package: C2SP chunked encryption, instance Cobblestone-256 (https://c2sp.org/chunked-encryption).

AES-256-GCM over chunks of 16 KiB, under a key, a base nonce and a 32-byte commitment that HKDF-Expand with
SHA-512 derives from the input key, a random 24-byte salt and the context. Salt and commitment stand in front
(56 bytes), each chunk carries a tag (16 bytes), and the last chunk is always shorter than the others. So a body
cannot be cut, extended or reordered, nor be opened under another key or context, and any range of it can be
read without the rest (``ranges``).

Whole bodies go through the native Cobblestone256 of ``cryptography``. Plaintext leaves only after its chunk was
authenticated: a stream that fails midway has released nothing but true leading chunks, which its consumer has to
discard.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from qkdseal.chunks import (
    CHUNK_SIZE,
    HEADER_SIZE,
    KEY_SIZE,
    SEALED_CHUNK_SIZE,
    ciphertext_size,
    plaintext_size,
)
from qkdseal.errors import PackageInvalid
from qkdseal.ranges import decrypt_from, decrypt_range, decrypt_range_chunks
from qkdseal.streams import CHUNKS_PER_READ, Sink, Source, pieces, read_up_to, write_all

__all__ = [
    "CHUNK_SIZE",
    "HEADER_SIZE",
    "KEY_SIZE",
    "PIECE_SIZE",
    "SEALED_CHUNK_SIZE",
    "BodySize",
    "ciphertext_size",
    "decrypt_chunks",
    "decrypt_range",
    "decrypt_range_chunks",
    "decrypt_stream",
    "encrypt_pieces",
    "encrypt_stream",
    "open_bytes",
    "plaintext_size",
    "seal_bytes",
]
PIECE_SIZE = CHUNKS_PER_READ * CHUNK_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySize:
    """What was read and written, in bytes."""

    plaintext_size: int
    ciphertext_size: int


def encrypt_stream(
    source: Source,
    sink: Sink,
    *,
    key: bytes,
    context: bytes,
    seen: Callable[[memoryview | bytes], object] | None = None,
) -> BodySize:
    """Encrypt a stream of any length in constant memory.

    >>> import io, os
    >>> key, body = os.urandom(32), io.BytesIO()
    >>> encrypt_stream(io.BytesIO(b"text"), body, key=key, context=b"letter 7").ciphertext_size
    76

    Args:
        source: the plaintext, read to its end.
        sink: takes the body.
        key: 32 uniformly random bytes, used for no other body.
        context: bytes that the reader has to name again; not secret, not stored.
        seen: is called with every piece of the plaintext, in order: a digest's ``update``, say.

    Raises:
        ValueError: the key has the wrong length.
    """
    parts = pieces(source, PIECE_SIZE)
    if seen is not None:
        parts = _show(parts, seen)
    return encrypt_pieces(parts, sink, key=key, context=context)


def encrypt_pieces(
    parts: Iterable[memoryview | bytes], sink: Sink, *, key: bytes, context: bytes
) -> BodySize:
    """Encrypt pieces of at most ``PIECE_SIZE`` bytes; otherwise as ``encrypt_stream``.

    >>> import io, os
    >>> body = io.BytesIO()
    >>> encrypt_pieces([b"one, ", b"two"], body, key=os.urandom(32), context=b"").plaintext_size
    8
    """
    encryptor = Cobblestone256Encryptor(key, context)
    output = memoryview(bytearray(HEADER_SIZE + CHUNKS_PER_READ * SEALED_CHUNK_SIZE))
    read = written = 0
    for piece in parts:
        sealed = output[: encryptor.update_into(piece, output)]
        write_all(sink, sealed)
        read += len(piece)
        written += len(sealed)
    last = encryptor.finalize()
    write_all(sink, memoryview(last))
    return BodySize(plaintext_size=read, ciphertext_size=written + len(last))


def decrypt_stream(source: Source, sink: Sink, *, key: bytes, context: bytes) -> int:
    """Decrypt a body in constant memory, and return the plaintext's size in bytes.

    >>> import io, os
    >>> key, text = os.urandom(32), io.BytesIO()
    >>> body = io.BytesIO(seal_bytes(key, b"letter 7", b"text"))
    >>> decrypt_stream(body, text, key=key, context=b"letter 7"), text.getvalue()
    (4, b'text')

    Raises:
        PackageInvalid: the body is not whole and unchanged under this key and context. Discard what the sink got
            until then: true leading chunks, but not all.
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


def decrypt_chunks(
    source: Source, *, key: bytes, context: bytes, header: bytes | None = None, first_chunk: int = 0
) -> Iterator[bytes]:
    """Decrypt a body in pieces of at most 112 KiB, from its beginning or, to resume, from any chunk on.

    >>> import io, os
    >>> key, text = os.urandom(32), os.urandom(100_000)
    >>> body = seal_bytes(key, b"", text)
    >>> b"".join(decrypt_chunks(io.BytesIO(body), key=key, context=b"")) == text
    True
    >>> rest = io.BytesIO(body[HEADER_SIZE + 3 * SEALED_CHUNK_SIZE :])
    >>> resumed = decrypt_chunks(rest, key=key, context=b"", header=body[:HEADER_SIZE], first_chunk=3)
    >>> b"".join(resumed) == text[3 * CHUNK_SIZE :]
    True

    Args:
        source: the body; where ``header`` is given, what follows from chunk ``first_chunk`` on.
        key: 32 bytes.
        context: as when it was encrypted.
        header: the first ``HEADER_SIZE`` bytes of the body.
        first_chunk: the index of the chunk that ``source`` begins with.

    Raises:
        PackageInvalid: from the iterator, as ``decrypt_stream``; the consumer has to discard what it got.
        ValueError: the key has the wrong length, or a later chunk is asked for without the header; raised by the
            call itself.
    """
    if header is not None:
        return decrypt_from(source, key=key, context=context, header=header, first_chunk=first_chunk)
    if first_chunk:
        raise ValueError("Decrypting from a later chunk on needs the header of the body.")
    return _decrypt_whole(source, Cobblestone256Decryptor(key, context))


def seal_bytes(key: bytes, context: bytes, data: bytes) -> bytes:
    """Encrypt a message that fits in memory; arguments as ``encrypt_stream``.

    >>> import os
    >>> key = os.urandom(32)
    >>> open_bytes(key, b"letter 7", seal_bytes(key, b"letter 7", b"text"))
    b'text'
    """
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(data) + encryptor.finalize()


def open_bytes(key: bytes, context: bytes, data: bytes) -> bytes:
    """Decrypt a body that fits in memory.

    >>> import os
    >>> key = os.urandom(32)
    >>> open_bytes(key, b"letter 8", seal_bytes(key, b"letter 7", b"text"))
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.

    Raises:
        PackageInvalid: the body is not whole and unchanged under this key and context.
        ValueError: the key has the wrong length.
    """
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        return decryptor.update(data) + decryptor.finalize()
    except InvalidTag:
        raise PackageInvalid from None


def _show(
    parts: Iterator[memoryview | bytes], seen: Callable[[memoryview | bytes], object]
) -> Iterator[memoryview | bytes]:
    for part in parts:
        seen(part)
        yield part


def _decrypt_whole(source: Source, decryptor: Cobblestone256Decryptor) -> Iterator[bytes]:
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
