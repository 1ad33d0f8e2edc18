"""Binary streams as the body reads and writes them: with short reads and short writes, and without losing a byte."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")
# Each of a stream's two buffers stays below 128 KiB, so that both fit a core's second-level cache.
CHUNKS_PER_READ = 7


class Source(Protocol):
    """A blocking, readable binary stream; ``readinto`` is used where there is one, to spare a copy."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none only at the end."""


class Sink(Protocol):
    """Takes bytes before it returns, as the buffer is used again; returns how many, or None for all."""

    def write(self, data: memoryview, /) -> int | None:
        """Take some or all of ``data``."""


class IteratorSource:
    """A source that reads one piece after the other; an error of the iterator is raised by the read.

    >>> source = IteratorSource(iter([b"one", b"two"]))
    >>> source.read(10), source.read(10), source.read(10)
    (b'one', b'two', b'')
    """

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._rest = parts, memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none only at the end."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill some or all of ``buffer``; return how many bytes, 0 only at the end."""
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = memoryview(part)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def pieces(source: Source, size: int) -> Iterator[memoryview | bytes]:
    """The content of the source in pieces of at most ``size`` bytes; each is valid until the next is asked for.

    Raises:
        BlockingIOError: the source has nothing at the moment, which must not be taken for its end.
    """
    readinto: Callable[[memoryview], int | None] | None = getattr(source, "readinto", None)
    if readinto is None:
        while data := _present(source.read(size)):
            yield data
        return
    buffer = memoryview(bytearray(size))
    while count := _present(readinto(buffer)):
        yield buffer[:count]


def fill(source: Source, buffer: memoryview) -> int:
    """Fill the buffer from the source; return how many bytes, fewer than it holds only at the end."""
    readinto: Callable[[memoryview], int | None] | None = getattr(source, "readinto", None)
    filled = 0
    while filled < len(buffer):
        rest = buffer[filled:]
        if readinto is not None:
            count = _present(readinto(rest))
        else:
            data = _present(source.read(len(rest)))
            count = len(data)
            rest[:count] = data
        if not count:
            break
        filled += count
    return filled


def read_up_to(source: Source, size: int) -> bytes:
    """Read the next ``size`` bytes; fewer only at the end."""
    data = b""
    while len(data) < size and (more := _present(source.read(size - len(data)))):
        data += more
    return data


def write_all(sink: Sink, data: memoryview) -> None:
    """Write all of ``data``, in as many calls as the sink needs."""
    while data:
        taken = sink.write(data)
        if taken is None:
            return
        data = data[taken:]


def _present(value: T | None) -> T:
    if value is None:
        raise BlockingIOError("The source has nothing to read at the moment; give a blocking stream.")
    return value
