"""Objects written in parts and read ahead: whole, in bounded memory, and nothing left where it fails."""

import io
import itertools
import os
import threading
import tracemalloc
from contextlib import closing

import pytest
from botocore.exceptions import ReadTimeoutError
from django.conf import settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.common.aws import client
from apps.files.bodies import objects
from apps.files.bodies.read_ahead import PIECES, read_ahead
from apps.files.bodies.reader import ObjectSource
from apps.files.bodies.writer import ObjectWriter
from tests import requirement
from tests.faults import Fault, watched

BUCKET = settings.ENCRYPTED_BUCKET
PART = 40_000


@pytest.fixture
def small_parts(aws, monkeypatch):
    monkeypatch.setattr(objects, "PART_BYTES", PART)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


def uploads():
    return client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def written(content, step=7_001):
    with ObjectWriter(BUCKET, "object") as sink:
        for start in range(0, len(content), step):
            sink.write(memoryview(content)[start : start + step])
    return sink


@requirement("C9")
@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART, 7 * PART + 123])
def test_what_is_written_is_read(size, small_parts):
    content = os.urandom(size)
    sink = written(content)
    assert objects.part_of(sink.ref, 0, size + 1) == content
    assert uploads() == []


@requirement("C9", "I4")
@pytest.mark.parametrize("fault", Fault)
def test_a_write_that_fails_leaves_no_parts(fault, small_parts, each_call):
    content = os.urandom(5 * PART + 1)
    outcomes = []
    for place, _ in each_call(
        "write an object", fault, lambda: None, lambda _: outcomes.append(written(content))
    ):
        aborted_itself = "AbortMultipartUpload" in place
        assert uploads() == [] or aborted_itself or "CreateMultipartUpload" in place, place
        for left in uploads():
            objects.abort(BUCKET, left["Key"], left["UploadId"])
    assert outcomes
    assert objects.part_of(outcomes[-1].ref, 0, len(content) + 1) == content


@requirement("C9")
def test_a_failing_block_leaves_no_parts_and_no_threads(small_parts):
    before = set(threading.enumerate())
    with pytest.raises(RuntimeError), ObjectWriter(BUCKET, "object") as sink:
        sink.write(memoryview(bytes(3 * PART)))
        raise RuntimeError
    assert sink.ref is None
    assert uploads() == []
    assert set(threading.enumerate()) <= before  # one that another test left may end meanwhile


@requirement("C9")
@hypothesis_settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 9 * 16 * 64), piece=st.just(64), most=st.integers(1, 5000))
def test_reading_ahead_gives_every_byte_once_and_in_order(size, piece, most):
    content, seen, got = os.urandom(size), bytearray(), bytearray()
    source = Trickle(content, most)
    for part in read_ahead(source, piece=piece, seen=seen.extend):
        assert 0 < len(part) <= piece
        got += part
    assert got == content == seen


def unseen(_data):
    """Nothing is learnt of it."""


class Trickle:
    """A source that gives a few bytes at a time."""

    def __init__(self, content, most):
        self.stream, self.most = io.BytesIO(content), most

    def read(self, size, /):
        return self.stream.read(min(size, self.most))


@requirement("C9")
def test_reading_ahead_passes_on_what_the_source_raised():
    class Broken(Trickle):
        def read(self, size, /):
            if self.stream.tell() > 3 * 64 * PIECES:
                raise OSError("gone")
            return super().read(size)

    before = set(threading.enumerate())
    parts = read_ahead(Broken(bytes(10_000), 100), piece=64, seen=unseen)
    with pytest.raises(OSError, match="gone"):
        list(parts)
    assert set(threading.enumerate()) <= before  # one that another test left may end meanwhile


@requirement("C9")
def test_reading_ahead_ends_its_thread_when_nobody_asks_any_more():
    before = set(threading.enumerate())
    with closing(read_ahead(Trickle(bytes(100_000), 64), piece=64, seen=unseen)) as parts:
        assert len(next(parts)) == 64
        assert len(list(itertools.islice(parts, 40))) == 40
    assert set(threading.enumerate()) <= before  # one that another test left may end meanwhile


@requirement("C9")
def test_a_connection_that_breaks_off_is_taken_up_where_it_ended(aws):
    content = os.urandom(300_000)
    client("s3").put_object(Bucket=BUCKET, Key="object", Body=content)
    asked = []

    def around(call, aws_client, operation, arguments):
        answer = call(aws_client, operation, arguments)
        if operation == "GetObject":
            asked.append(arguments.get("Range"))
            if len(asked) < 3:
                answer["Body"] = BreaksOff(answer["Body"], 70_000)
        return answer

    with watched(around):
        source = ObjectSource(objects.ObjectRef(BUCKET, "object"))
        buffer = bytearray(len(content))
        filled = 0
        while count := source.readinto(memoryview(buffer)[filled:]):
            filled += count
    assert buffer == content
    assert asked == [None, "bytes=70000-", "bytes=140000-"]


class BreaksOff:
    """A response whose connection ends after some bytes."""

    def __init__(self, body, after):
        self.body, self.left = body, after

    def readinto(self, buffer):
        if not self.left:
            raise ReadTimeoutError(endpoint_url="https://aws.example")
        count = self.body.readinto(buffer[: min(self.left, 9_000)])
        self.left -= count
        return count


@requirement("C9")
def test_another_object_is_never_taken_for_the_rest(aws):
    s3 = client("s3")
    s3.put_object(Bucket=BUCKET, Key="object", Body=b"a" * 200_000)
    source = ObjectSource(objects.ObjectRef(BUCKET, "object"))
    source._body = BreaksOff(source._body, 50_000)
    assert source.readinto(memoryview(bytearray(50_000)))
    while source._at < 50_000:
        source.readinto(memoryview(bytearray(50_000 - source._at)))
    s3.put_object(Bucket=BUCKET, Key="object", Body=b"b" * 200_000)
    with pytest.raises(Exception, match=r"PreconditionFailed|pre-condition"):
        source.read(10)


@requirement("C9")
def test_memory_is_bounded_by_the_buffers_in_turn(aws, monkeypatch):
    """Three parts of the writer and four blocks of the reader, however large the object."""
    monkeypatch.setattr(ObjectWriter, "_upload", lambda *_: {"ETag": "", "PartNumber": 1})
    monkeypatch.setattr(ObjectWriter, "_finish", lambda _: None)
    tracemalloc.start()
    try:
        with ObjectWriter(BUCKET, "object") as sink:
            for part in read_ahead(Endless(96 * 2**20), piece=48 * 1024, seen=unseen):
                sink.write(part)
            sink._upload_id = ""
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20


class Endless:
    """Zeros."""

    def __init__(self, size):
        self.left = size

    def readinto(self, buffer):
        count = min(len(buffer), self.left)
        self.left -= count
        return count

    def read(self, size, /):
        return bytes(self.readinto(bytearray(size)))
