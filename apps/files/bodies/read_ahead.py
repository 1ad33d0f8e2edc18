"""Reading a stream ahead in a thread of its own, so that reading, encrypting and writing overlap."""

import threading
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue

from qkdseal.streams import Source, fill

PIECES = 8  # of one block: 896 KiB of pieces of 112 KiB
BLOCKS = 4  # in turn: one read, one encrypted, two between

Seen = Callable[[memoryview], None]
_Read = tuple[memoryview, int, BaseException | None]


def read_ahead(source: Source, *, piece: int, seen: Seen) -> Generator[memoryview, None, None]:
    """What the source holds, in pieces of ``piece`` bytes (the last may be shorter).

    ``seen`` is called once for every byte, in order, by the thread that reads. A stream that fits one block is
    read without a thread. Each piece is valid until the next is asked for. Close the iterator to end the thread.
    """
    first = memoryview(bytearray(piece * PIECES))
    count = fill(source, first)
    seen(first[:count])
    if count < len(first):
        yield from _cut(first[:count], piece)
        return
    yield from _from_thread(source, piece, seen, first)


def _from_thread(source: Source, piece: int, seen: Seen, first: memoryview) -> Iterator[memoryview]:
    free: SimpleQueue[memoryview | None] = SimpleQueue()
    full: SimpleQueue[_Read] = SimpleQueue()
    full.put((first, len(first), None))
    for _ in range(BLOCKS - 1):
        free.put(memoryview(bytearray(len(first))))
    stop = threading.Event()
    reader = threading.Thread(
        target=_read, args=(source, seen, free, full, stop), name="read-ahead", daemon=True
    )
    reader.start()
    try:
        while True:
            block, count, error = full.get()
            if error is not None:
                raise error
            yield from _cut(block[:count], piece)
            if count < len(block):
                return
            free.put(block)
    finally:
        stop.set()
        free.put(None)
        reader.join()


def _read(
    source: Source,
    seen: Seen,
    free: "SimpleQueue[memoryview | None]",
    full: "SimpleQueue[_Read]",
    stop: threading.Event,
) -> None:
    while (block := free.get()) is not None and not stop.is_set():
        try:
            count = fill(source, block)
            seen(block[:count])
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that asked
            full.put((block, 0, error))
            return
        full.put((block, count, None))
        if count < len(block):
            return


def _cut(block: memoryview, piece: int) -> Iterator[memoryview]:
    for start in range(0, len(block), piece):
        yield block[start : start + piece]
