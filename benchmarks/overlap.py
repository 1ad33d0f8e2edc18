"""What reading ahead and uploading in threads gain, with a store of given speed and latency.

    python -m benchmarks.overlap

A process of its own, as it runs with the tests' settings.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

from tests.files import streaming  # sets Django up  # isort: skip
from django.conf import settings

from apps.common import clock
from apps.files.bodies import encrypted, read_ahead, writer
from apps.files.bodies.objects import ObjectRef
from apps.files.bodies.reader import stream
from benchmarks.report import load, machine, table
from qkdseal.header import Header
from qkdseal.streams import Source, fill

MIB = 2**20
SIZE = 256 * MIB
SPEEDS = (100, 400)  # MB/s in each direction: about one connection to S3, and four
LATENCY = 0.02  # seconds before the first byte of a download, or after the last of a part
# Which of the two happen in threads of their own: reading, uploading.
WAYS = ((False, False), (True, False), (False, True), (True, True))


class Paced(streaming.Store):
    """The generated store, taking its time."""

    def __init__(self, size: int, speed: float) -> None:
        super().__init__(size)
        self.speed = speed

    def answers(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        if operation == "GetObject":
            time.sleep(LATENCY)
            return {"Body": PacedBody(self.size, self.speed), "ETag": "etag"}
        if operation == "UploadPart":
            time.sleep(LATENCY + len(arguments["Body"]) / self.speed)
        return super().answers(operation, arguments)


class PacedBody(streaming.Generated):
    """A body that arrives at a speed: what was not asked for in time waits in no buffer."""

    def __init__(self, size: int, speed: float) -> None:
        super().__init__(size)
        self.speed = speed

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer)
        time.sleep(count / self.speed)
        return count


class Inline(Executor):
    """Does at once, in the caller's thread, what a pool would do beside it."""

    def __init__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **named))
        return done


def in_turn(source: Source, *, piece: int, seen: read_ahead.Seen) -> Iterator[memoryview]:
    """As ``read_ahead``, without a thread."""
    block = memoryview(bytearray(piece * read_ahead.PIECES))
    while count := fill(source, block):
        seen(block[:count])
        for start in range(0, count, piece):
            yield block[start : min(start + piece, count)]


def seconds(speed: float, *, reading: bool, uploading: bool) -> float:
    """Wall-clock of one body from store to store."""
    ahead: Any = read_ahead.read_ahead if reading else in_turn
    pool: Any = ThreadPoolExecutor if uploading else Inline
    header = Header.of(file_id="overlap", quantum_key_id="session.0", passphrase=None)
    with (
        streaming.answered_by(Paced(SIZE, speed)),
        mock.patch.object(encrypted, "read_ahead", ahead),
        mock.patch.object(writer, "ThreadPoolExecutor", pool),
    ):
        started = time.perf_counter()
        place = ObjectRef(settings.ENCRYPTED_BUCKET, "body")
        until = clock.now() + timedelta(hours=1)
        plaintext = stream(ObjectRef("uploads", "key"))
        encrypted.write(plaintext, place, name="name", until=until, file_key=os.urandom(32), header=header)
        return time.perf_counter() - started


def main() -> None:
    """Each way at each speed; the slower store takes 20 seconds and more, so each way is told as it ends."""
    print(f"{machine()}; {load()}", flush=True)
    rows = []
    for speed in SPEEDS:
        found = []
        for reads, uploads in WAYS:
            found.append(seconds(speed * 1e6, reading=reads, uploading=uploads))
            print(f"{speed} MB/s: {found[-1]:.2f} s", flush=True)
        rows.append([f"{speed} MB/s", *(f"{s:.2f}" for s in found), f"{found[0] / found[-1]:.2f}"])
    header = ["store", "one after the other", "reads ahead", "uploads beside", "both", "times faster"]
    table(f"A body of {SIZE // MIB} MiB from store to store, seconds", header, rows)


if __name__ == "__main__":
    main()
