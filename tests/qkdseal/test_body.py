"""The body: published vectors, interoperability, every kind of damage, ranges, memory."""

import base64
import hashlib
import io
import json
import os
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cryptography_vectors
import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdseal import body, chunks
from qkdseal.body import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE
from qkdseal.errors import PackageInvalid
from tests import requirement
from tests.qkdseal import reference

PUBLISHED = Path(cryptography_vectors.__file__).parent / "chunked-encryption" / "vectors.json"
C2SP: list[dict[str, Any]] = [
    vector for vector in json.loads(PUBLISHED.read_text())["vectors"] if vector["aead"] == "AEAD_AES_256_GCM"
]
OURS: list[dict[str, Any]] = json.loads((reference.VECTORS / "body.json").read_text())["vectors"]
KEY = bytes(range(32))
CONTEXT = b"context"
EDGES = [0, 1, 15, 16, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 3 * CHUNK_SIZE + 1]
PLAINTEXT = os.urandom(200 * 1024)
sizes = st.sampled_from(EDGES) | st.integers(0, 5 * CHUNK_SIZE)


class Memory:
    """A body in memory that is read at offsets, as S3 is; remembers what was read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []

    def __call__(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        return self.data[offset : offset + length]


class OnlyRead:
    """A source without readinto that gives a few bytes at a time, as a socket does."""

    def __init__(self, data: bytes, most: int) -> None:
        self.stream = io.BytesIO(data)
        self.most = most

    def read(self, size: int, /) -> bytes:
        return self.stream.read(min(size, self.most))


class Reluctant:
    """A sink that takes a few bytes at a time, as a raw file may."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = bytearray()

    def write(self, data: memoryview, /) -> int:
        self.taken += data[: self.most]
        return min(len(data), self.most)


def read_by_stream(data: bytes, released: list[bytes]) -> None:
    sink = io.BytesIO()
    try:
        body.decrypt_stream(io.BytesIO(data), sink, key=KEY, context=CONTEXT)
    finally:
        released.append(sink.getvalue())


def read_by_iterator(data: bytes, released: list[bytes]) -> None:
    released.extend(body.decrypt_chunks(OnlyRead(data, 5000), key=KEY, context=CONTEXT))


def read_at_once(data: bytes, released: list[bytes]) -> None:
    released.append(body.open_bytes(KEY, CONTEXT, data))


def read_by_range(data: bytes, released: list[bytes]) -> None:
    size = body.plaintext_size(len(data))
    source = Memory(data)
    released.extend(
        body.decrypt_range_chunks(source, key=KEY, context=CONTEXT, start=0, stop=size, size=size)
    )


def read_resumed(data: bytes, released: list[bytes]) -> None:
    """By the chunks alone, as a download that goes on does."""
    header, rest = data[:HEADER_SIZE], OnlyRead(data[HEADER_SIZE:], 5000)
    if len(header) < HEADER_SIZE:
        raise PackageInvalid  # it was cut before there was anything to resume
    released.extend(body.decrypt_chunks(rest, key=KEY, context=CONTEXT, header=header))


READERS: list[Callable[[bytes, list[bytes]], None]] = [
    read_by_stream,
    read_by_iterator,
    read_at_once,
    read_by_range,
    read_resumed,
]


@requirement("C2", "C9")
@pytest.mark.parametrize("vector", C2SP, ids=lambda v: v["name"])
def test_published_c2sp_vectors(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """They were made with SHA-256 where Cobblestone-256 says SHA-512; all else is the same."""
    monkeypatch.setattr(chunks, "SHA512", SHA256)
    data = base64.b64decode(vector["ciphertext"] or "")
    data = (
        zlib.decompress(data, wbits=47 if data[:1] in {b"\x1f", b"\x78"} else -15)
        if compressed(vector)
        else data
    )
    key, context = bytes.fromhex(vector["key"]), vector["context"].encode()

    def opened() -> bytes:
        size = body.plaintext_size(len(data))
        return body.decrypt_range(Memory(data), key=key, context=context, start=0, stop=size, size=size)

    if vector["expect"] == "success":
        plaintext = opened()
        assert len(plaintext) == vector["payload_length"]
        assert hashlib.sha256(plaintext).hexdigest() == vector["payload_sha256"]
        keys = chunks.ChunkKeys.of(data[:HEADER_SIZE], key=key, context=context)
        assert keys.base_nonce.to_bytes(12, "big").hex() == vector["base_nonce"]
    else:
        with pytest.raises(PackageInvalid if len(key) == 32 else ValueError):
            opened()


def compressed(vector: dict[str, Any]) -> bool:
    return bool(vector.get("compressed"))


@requirement("C2")
@pytest.mark.parametrize("vector", OURS, ids=lambda v: v["name"])
def test_our_vectors(vector: dict[str, Any]) -> None:
    key, context, salt = (bytes.fromhex(vector[name]) for name in ("key", "context", "salt"))
    plaintext = reference.stream(vector["name"], vector["size"])
    sealed = reference.sealed_body(key, context, salt, plaintext)
    assert hashlib.sha256(sealed).hexdigest() == vector["ciphertext_sha256"]
    assert sealed[:HEADER_SIZE].hex() == vector["header"]
    assert len(sealed) == vector["ciphertext_size"] == body.ciphertext_size(vector["size"])
    assert body.open_bytes(key, context, sealed) == plaintext


@requirement("C2")
@pytest.mark.parametrize("size", EDGES)
def test_bodies_are_exchanged_with_the_reference_and_with_cryptography(size: int) -> None:
    plaintext = PLAINTEXT[:size]
    sealed = body.seal_bytes(KEY, CONTEXT, plaintext)
    assert reference.sealed_body(KEY, CONTEXT, sealed[:24], plaintext) == sealed
    decryptor = Cobblestone256Decryptor(KEY, CONTEXT)
    assert decryptor.update(sealed) + decryptor.finalize() == plaintext
    encryptor = Cobblestone256Encryptor(KEY, CONTEXT)
    native = encryptor.update(plaintext) + encryptor.finalize()
    for reader in READERS:
        released: list[bytes] = []
        reader(native, released)
        assert b"".join(released) == plaintext


@requirement("C9")
@settings(max_examples=40, deadline=None)
@given(size=sizes, most=st.integers(1, 40_000).filter(lambda most: most > 300))
def test_streams_survive_short_reads_and_writes(size: int, most: int) -> None:
    plaintext, sealed, opened = PLAINTEXT[:size], Reluctant(most), Reluctant(most)
    written = body.encrypt_stream(OnlyRead(plaintext, most), sealed, key=KEY, context=CONTEXT)
    data = bytes(sealed.taken)
    assert written == body.BodySize(plaintext_size=size, ciphertext_size=len(data))
    assert len(data) == body.ciphertext_size(size)
    assert body.plaintext_size(len(data)) == size
    assert body.decrypt_stream(OnlyRead(data, most), opened, key=KEY, context=CONTEXT) == size
    assert opened.taken == plaintext


@requirement("C9")
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_damage_gives_the_one_error_and_releases_only_true_leading_bytes(data: st.DataObject) -> None:
    plaintext = PLAINTEXT[: data.draw(sizes)]
    sealed = body.seal_bytes(KEY, CONTEXT, plaintext)
    damaged = damage(sealed, data)
    if damaged == sealed:
        return
    released: list[bytes] = []
    with pytest.raises(PackageInvalid) as raised:
        data.draw(st.sampled_from(READERS))(damaged, released)
    assert str(raised.value) == str(PackageInvalid())
    assert raised.value.__cause__ is None
    assert plaintext.startswith(b"".join(released))


def damage(sealed: bytes, data: st.DataObject) -> bytes:
    kinds = ["flip", "cut", "extend", "cut at a chunk", "swap", "repeat", "drop", "other body"]
    kind = data.draw(st.sampled_from(kinds))
    if kind == "flip":
        position = data.draw(st.integers(0, len(sealed) - 1))
        bit = 1 << data.draw(st.integers(0, 7))
        return sealed[:position] + bytes([sealed[position] ^ bit]) + sealed[position + 1 :]
    if kind == "cut":
        return sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    if kind == "extend":
        return sealed + data.draw(st.binary(min_size=1, max_size=40))
    header, chunks = sealed[:HEADER_SIZE], chunks_of(sealed)
    number = data.draw(st.integers(0, len(chunks) - 1))
    if kind == "cut at a chunk":
        return header + b"".join(chunks[:number])
    if kind == "swap":
        other = data.draw(st.integers(0, len(chunks) - 1))
        chunks[number], chunks[other] = chunks[other], chunks[number]
    elif kind == "repeat":
        chunks.insert(number, chunks[number])
    elif kind == "drop":
        del chunks[number]
    else:
        chunks[number] = chunks_of(body.seal_bytes(KEY, CONTEXT, PLAINTEXT))[number]
    return header + b"".join(chunks)


def chunks_of(sealed: bytes) -> list[bytes]:
    return [sealed[at : at + SEALED_CHUNK_SIZE] for at in range(HEADER_SIZE, len(sealed), SEALED_CHUNK_SIZE)]


@requirement("C9")
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_another_key_or_context_does_not_open(reader: Callable[[bytes, list[bytes]], None]) -> None:
    for key, context in ((bytes(32), CONTEXT), (KEY, b"other"), (KEY, b"")):
        released: list[bytes] = []
        with pytest.raises(PackageInvalid):
            reader(body.seal_bytes(key, context, b"message"), released)
        assert not any(released)


@requirement("C3")
def test_keys_of_the_wrong_length_are_the_callers_error() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        body.seal_bytes(bytes(31), CONTEXT, b"")
    with pytest.raises(ValueError, match="32 bytes"):
        body.decrypt_chunks(io.BytesIO(), key=bytes(33), context=CONTEXT)
    with pytest.raises(ValueError, match="32 bytes"):
        body.decrypt_range_chunks(Memory(b""), key=bytes(16), context=CONTEXT, start=0, stop=0, size=0)


@requirement("C9")
@pytest.mark.parametrize(
    "size", [-1, 0, 55, 56, 71, HEADER_SIZE + SEALED_CHUNK_SIZE, HEADER_SIZE + SEALED_CHUNK_SIZE + 15]
)
def test_sizes_that_no_body_has_are_refused(size: int) -> None:
    with pytest.raises(PackageInvalid):
        body.plaintext_size(size)


@requirement("C2")
def test_two_bodies_of_the_same_message_differ() -> None:
    assert body.seal_bytes(KEY, CONTEXT, b"m") != body.seal_bytes(KEY, CONTEXT, b"m")


@requirement("C9")
def test_a_source_that_is_not_ready_is_not_taken_for_its_end() -> None:
    source: Any = type("NotReady", (), {"readinto": lambda _self, _buffer: None})()
    with pytest.raises(BlockingIOError):
        body.encrypt_stream(source, io.BytesIO(), key=KEY, context=CONTEXT)


class Zeros(io.RawIOBase):
    """So many bytes, without holding them."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readinto(self, buffer: Any, /) -> int:
        count = min(len(buffer), self.left)
        self.left -= count
        return count


class Counting:
    """A sink that keeps nothing but the largest piece's size."""

    largest = 0

    def write(self, data: memoryview, /) -> None:
        self.largest = max(self.largest, len(data))


@requirement("C9")
def test_a_stream_takes_two_buffers_of_less_than_128_kib_whatever_its_size(tmp_path: Path) -> None:
    path, sink = tmp_path / "body", Counting()
    with path.open("wb") as file:
        body.encrypt_stream(Zeros(24 << 20), file, key=KEY, context=CONTEXT)
    tracemalloc.start()
    try:
        source: Any = Zeros(24 << 20)
        body.encrypt_stream(source, sink, key=KEY, context=CONTEXT)
        with path.open("rb", buffering=0) as file:
            assert body.decrypt_stream(file, sink, key=KEY, context=CONTEXT) == 24 << 20
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * 128 * 1024
    assert sink.largest < 128 * 1024


@requirement("C2")
def test_nist_aes_256_gcm_vectors() -> None:
    """The cipher below, against NIST CAVP (96-bit nonces, 128-bit tags)."""
    text = (PUBLISHED.parent.parent / "ciphers" / "AES" / "GCM" / "gcmEncryptExtIV256.rsp").read_text()
    checked = 0
    for block in text.split("\n\n"):
        vector = dict(line.split(" = ") for line in block.splitlines() if " = " in line and line[0] != "[")
        if len(vector.get("IV", "")) != 24 or len(vector.get("Tag", "")) != 32:
            continue
        key, nonce, plaintext, aad = (field(vector, name) for name in ("Key", "IV", "PT", "AAD"))
        assert AESGCM(key).encrypt(nonce, plaintext, aad).hex() == vector.get("CT", "") + vector["Tag"]
        checked += 1
    assert checked > 300


def field(vector: dict[str, str], name: str) -> bytes:
    return bytes.fromhex(vector.get(name, ""))


@requirement("C9")
def test_a_stream_shows_every_byte_of_its_plaintext_once_and_in_order() -> None:
    shown = bytearray()
    body.encrypt_stream(io.BytesIO(PLAINTEXT), io.BytesIO(), key=KEY, context=b"", seen=shown.extend)
    assert bytes(shown) == PLAINTEXT
