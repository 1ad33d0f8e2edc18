"""A write-ahead log in numbered files (generations): one entry a line, each with its checksum.

An entry is handed to the operating system before ``append`` returns, so it outlives a ``kill -9`` of the process. With a
``Disk`` it is noted there, to be flushed before its answer leaves: it then outlives a power cut, too. Such a file says
now and then how much of it is flushed (``["flushed", bytes]``). So a power cut that left holes in what nobody had an
answer to is told from damage to what was acknowledged.
"""

import json
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from apps.stack.embedded.disk import Disk
from apps.stack.embedded.ending import end

Entry = list[Any]
_FLUSHED = "flushed"
_NAME = re.compile(r"journal-(\d{10})\.log")


class DamagedJournal(Exception):
    """A line that was acknowledged cannot be read."""


class Journal:
    """Appends to the newest generation; older ones wait until a snapshot covers them."""

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self._directory = directory
        self._disk = disk
        self._flushing: deque[tuple[int, int]] = (
            deque()
        )  # the disk's number of each write, and the size after it
        self._file: BinaryIO | None = None
        self.generation = 0
        self.size = 0  # bytes of the newest generation
        self.count = 0  # entries of it

    def open(self, *, after: int = 0) -> None:
        """Begin a generation newer than every file and than ``after``.

        A new file at every start: what follows a torn last line would be unreadable.
        """
        self.close()
        self.generation = max([after, self.generation, *self._generations()]) + 1
        # Unbuffered: a write is in the operating system's hands when it returns.
        self._file = self._path(self.generation).open("xb", buffering=0)
        self.size = self.count = 0
        self._flushing.clear()
        if self._disk is not None:
            self._disk.note(self._directory)
            self._write(self._file, as_line([_FLUSHED, 0]))

    def append(self, entry: Entry) -> None:
        """Add an entry; when this returns it survives the process.

        A log that cannot be written ends the process at once: what was changed in memory and not
        logged must never be acknowledged.
        """
        if self._file is None:
            raise RuntimeError("The journal is not open.")
        self._write(self._file, self._flushed() + as_line(entry))
        self.count += 1

    def _flushed(self) -> bytes:
        """A line that says how much is flushed, where that is more than was said."""
        size = 0
        while self._disk is not None and self._flushing and self._flushing[0][0] <= self._disk.flushed:
            size = self._flushing.popleft()[1]
        return as_line([_FLUSHED, size]) if size else b""

    def _write(self, file: BinaryIO, lines: bytes) -> None:
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            end("the journal cannot be written", error)
        self.size += len(lines)
        if self._disk is not None:
            self._flushing.append((self._disk.note(self._path(self.generation)), self.size))

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Every entry of every generation, oldest first, with its generation.

        Raises:
            DamagedJournal: a line that was acknowledged does not match its checksum.
        """
        for generation in self._generations():
            for entry in _whole(self._path(generation)):
                if entry[0] != _FLUSHED:
                    yield generation, entry

    def forget(self, generation: int) -> None:
        """Remove the files up to and including a generation that a snapshot covers."""
        for old in self._generations():
            if old <= generation:
                self._path(old).unlink()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _path(self, generation: int) -> Path:
        return self._directory / f"journal-{generation:010d}.log"

    def _generations(self) -> list[int]:
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted(int(name[1]) for name in names if name)


def as_line(entry: Entry) -> bytes:
    """An entry with its checksum."""
    payload = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (crc32(payload), payload)


def _whole(path: Path) -> list[Entry]:
    """The entries of a file up to where it ends, or where a power cut left a hole in what nobody had an answer to."""
    lines = path.read_bytes().split(b"\n")
    entries: list[Entry] = []
    place = 0
    for number, line in enumerate(lines, start=1):
        entry = read_line(line)
        if entry is None:
            rest = [found for found in map(read_line, lines[number:]) if found is not None]
            if number < len(lines) - 1 and not _is_unacknowledged(place, entries, rest):
                raise DamagedJournal(f"{path} is damaged in line {number}.")
            break
        entries.append(entry)
        place += len(line) + 1
    return entries


def _is_unacknowledged(place: int, before: list[Entry], after: list[Entry]) -> bool:
    """Return whether a file that says how much of it is flushed never said so of what begins at a place."""
    if before[:1] != [[_FLUSHED, 0]]:
        return False
    return not any(entry[0] == _FLUSHED and entry[1] > place for entry in after)


def read_line(line: bytes) -> Entry | None:
    """The entry of a line, or None where the line is torn or damaged."""
    checksum, _, payload = line.partition(b" ")
    if not payload or checksum != b"%08x" % crc32(payload):
        return None
    entry: Entry = json.loads(payload)
    return entry
