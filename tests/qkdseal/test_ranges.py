"""Parts of a body: ranges, and what is left of one that was interrupted."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdseal import body, ranges
from qkdseal.body import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE
from qkdseal.errors import PackageInvalid
from tests import requirement
from tests.qkdseal.test_body import CONTEXT, KEY, PLAINTEXT, Memory, OnlyRead, damage, sizes


@requirement("C9")
@settings(max_examples=80, deadline=None)
@given(data=st.data(), size=sizes)
def test_a_range_is_the_slice_and_reads_its_chunks_only(data: st.DataObject, size: int) -> None:
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    source = Memory(body.seal_bytes(KEY, CONTEXT, PLAINTEXT[:size]))
    part = body.decrypt_range(source, key=KEY, context=CONTEXT, start=start, stop=stop, size=size)
    assert part == PLAINTEXT[start:stop]
    chunks = stop // CHUNK_SIZE - start // CHUNK_SIZE + 1
    assert sum(length for _, length in source.reads) <= HEADER_SIZE + chunks * SEALED_CHUNK_SIZE


@requirement("C9")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_range_of_a_damaged_body_is_true_or_refused(data: st.DataObject) -> None:
    size = data.draw(sizes)
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    source = Memory(damage(body.seal_bytes(KEY, CONTEXT, PLAINTEXT[:size]), data))
    try:
        part = body.decrypt_range(source, key=KEY, context=CONTEXT, start=start, stop=stop, size=size)
    except PackageInvalid:
        return
    assert part == PLAINTEXT[start:stop]


@requirement("C9")
@pytest.mark.parametrize("wrong", [2 * CHUNK_SIZE, CHUNK_SIZE, 2 * CHUNK_SIZE + 99, 3 * CHUNK_SIZE + 100])
def test_a_range_to_a_wrong_end_is_refused(wrong: int) -> None:
    source = Memory(body.seal_bytes(KEY, CONTEXT, PLAINTEXT[: 2 * CHUNK_SIZE + 100]))
    with pytest.raises(PackageInvalid):
        body.decrypt_range(source, key=KEY, context=CONTEXT, start=0, stop=wrong, size=wrong)


@requirement("C9")
def test_a_long_range_is_read_in_parts() -> None:
    plaintext = bytes(ranges.CHUNKS_PER_RANGE_READ * CHUNK_SIZE + 10)
    source = Memory(body.seal_bytes(KEY, CONTEXT, plaintext))
    size = len(plaintext)
    pieces = list(body.decrypt_range_chunks(source, key=KEY, context=CONTEXT, start=5, stop=size, size=size))
    assert b"".join(pieces) == plaintext[5:]
    assert len(source.reads) == 3


@requirement("C9")
@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (2, 1), (0, 11)])
def test_impossible_ranges_are_the_callers_error(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="is not within 0 to 10"):
        body.decrypt_range_chunks(Memory(b""), key=KEY, context=CONTEXT, start=start, stop=stop, size=10)


def resumed(sealed: bytes, first_chunk: int, *, most: int = 7000) -> bytes:
    """The plaintext from a chunk on, read as a download that goes on reads it."""
    source = OnlyRead(sealed[HEADER_SIZE + first_chunk * SEALED_CHUNK_SIZE :], most)
    header = sealed[:HEADER_SIZE]
    return b"".join(
        body.decrypt_chunks(source, key=KEY, context=CONTEXT, header=header, first_chunk=first_chunk)
    )


@requirement("C9")
@settings(max_examples=80, deadline=None)
@given(data=st.data(), size=sizes | st.integers(6 * CHUNK_SIZE, 8 * CHUNK_SIZE))
def test_a_body_is_decrypted_from_any_chunk_on(data: st.DataObject, size: int) -> None:
    first = data.draw(st.integers(0, size // CHUNK_SIZE))
    sealed = body.seal_bytes(KEY, CONTEXT, PLAINTEXT[:size])
    assert (
        resumed(sealed, first, most=data.draw(st.integers(100, 40_000)))
        == PLAINTEXT[first * CHUNK_SIZE : size]
    )


@requirement("C9")
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_the_rest_of_a_damaged_body_is_true_or_refused(data: st.DataObject) -> None:
    size = data.draw(sizes)
    first = data.draw(st.integers(0, size // CHUNK_SIZE))
    sealed = body.seal_bytes(KEY, CONTEXT, PLAINTEXT[:size])
    damaged = damage(sealed, data)
    if damaged == sealed or len(damaged) < HEADER_SIZE:
        return
    try:
        rest = resumed(damaged, first)
    except PackageInvalid:
        return
    assert rest == PLAINTEXT[first * CHUNK_SIZE : size]  # the damage lies before


@requirement("C9")
@pytest.mark.parametrize("whole_chunks", [1, 6, 7, 8, 14])
def test_a_body_that_was_cut_between_two_chunks_is_refused(whole_chunks: int) -> None:
    sealed = body.seal_bytes(KEY, CONTEXT, bytes(20 * CHUNK_SIZE))
    with pytest.raises(PackageInvalid):
        resumed(sealed[: HEADER_SIZE + whole_chunks * SEALED_CHUNK_SIZE], 0)


@requirement("C9")
def test_a_later_chunk_is_not_taken_for_the_one_asked_for() -> None:
    sealed = body.seal_bytes(KEY, CONTEXT, PLAINTEXT)
    with pytest.raises(PackageInvalid):
        resumed(sealed[:HEADER_SIZE] + sealed[HEADER_SIZE + SEALED_CHUNK_SIZE :], 0)


@requirement("C3")
def test_resuming_wrongly_is_the_callers_error() -> None:
    def resume(header: bytes | None, first_chunk: int, key: bytes = KEY) -> None:
        body.decrypt_chunks(io.BytesIO(), key=key, context=b"", header=header, first_chunk=first_chunk)

    with pytest.raises(ValueError, match="needs the header"):
        resume(None, 1)
    with pytest.raises(ValueError, match="has 56 bytes; this one has 55"):
        resume(bytes(55), 1)
    with pytest.raises(ValueError, match="-1 is none"):
        resume(bytes(56), -1)
    with pytest.raises(ValueError, match="has 32 bytes; this one has 31"):
        resume(bytes(56), 1, bytes(31))
