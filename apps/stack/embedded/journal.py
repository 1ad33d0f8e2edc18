"""A write-ahead log in numbered files (generations): one entry a line, each with its checksum.

An entry is handed to the operating system before ``append`` returns, so it outlives a ``kill -9`` of the
process. It is not synced to the disk unless asked for (``fsync``): a power cut may lose the last moments.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

Entry = list[Any]
_NAME = re.compile(r"journal-(\d{10})\.log")


class DamagedJournal(Exception):
    """A line that is not the last one of its file cannot be read."""


class Journal:
    """Appends to the newest generation; older ones wait until a snapshot covers them."""

    def __init__(self, directory: Path, *, fsync: bool = False) -> None:
        self._directory = directory
        self._fsync = fsync
        self._file: BinaryIO | None = None
        self.generation = 0
        self.size = 0

    def open(self, *, after: int = 0) -> None:
        """Begin a generation newer than every file and than ``after``.

        A new file at every start: what follows a torn last line would be unreadable.
        """
        self.close()
        self.generation = max([after, self.generation, *self._generations()]) + 1
        # Unbuffered: a write is in the operating system's hands when it returns.
        self._file = self._path(self.generation).open("xb", buffering=0)
        self.size = 0

    def append(self, entry: Entry) -> None:
        """Add an entry; when this returns it survives the process.

        A log that cannot be written ends the process at once: what was changed in memory and not
        logged must never be acknowledged.
        """
        if self._file is None:
            raise RuntimeError("The journal is not open.")
        payload = json.dumps(entry, separators=(",", ":")).encode()
        line = b"%08x %s\n" % (crc32(payload), payload)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
            if self._fsync:
                os.fsync(self._file.fileno())
        except OSError as error:
            print(f"CRITICAL the journal cannot be written: {error}", file=sys.stderr, flush=True)  # noqa: T201
            os._exit(74)
        self.size += len(line)

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Every entry of every generation, oldest first, with its generation.

        Raises:
            DamagedJournal: a line before the last of its file does not match its checksum.
        """
        for generation in self._generations():
            lines = self._path(generation).read_bytes().split(b"\n")
            for number, line in enumerate(lines, start=1):
                entry = _read(line)
                if entry is not None:
                    yield generation, entry
                elif number < len(lines) - 1:
                    raise DamagedJournal(f"{self._path(generation)}, line {number}")

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


def _read(line: bytes) -> Entry | None:
    """The entry of a line, or None where the line is torn or damaged."""
    checksum, _, payload = line.partition(b" ")
    if not payload or checksum != b"%08x" % crc32(payload):
        return None
    entry: Entry = json.loads(payload)
    return entry
