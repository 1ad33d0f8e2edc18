"""What is uploaded: a file that must not change meanwhile, or a stream that is read once, to its end."""

import io
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from qkdclient.errors import Changed, Unfit
from qkdclient.names import as_text, shown

STDIN = "-"
# File systems keep times in steps of a few milliseconds: a file that changed within the last one could change again
# without its time telling.
CLOCK_STEP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells that a file is still the one that was read: the inode's own times cannot be set back."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Identity":
        """The identity of a file as it is now."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def as_dict(self) -> dict[str, int]:
        """For a file of JSON."""
        return asdict(self)


class Source:
    """An open file or stream. ``identity`` is None for what cannot be read twice, ``size`` for what has no size."""

    def __init__(
        self, stream: BinaryIO, name: str, *, path: Path | None = None, identity: Identity | None = None
    ) -> None:
        self.stream, self.name, self.path, self.identity = stream, name, path, identity
        self.place = "standard input" if path is None else shown(path)

    @property
    def size(self) -> int | None:
        """Bytes of it, where that is known before it is read."""
        return None if self.identity is None else self.identity.size

    def is_empty(self) -> bool:
        """Return whether there is nothing to read; waits until there is, or the end."""
        peek = getattr(self.stream, "peek", None)
        return peek is not None and not peek(1)

    def rewind(self) -> None:
        """Begin at the beginning again."""
        self.stream.seek(0)

    def parts(self, size: int) -> Iterator[bytes]:
        """All of it, in parts of ``size`` bytes and a last one."""
        while part := self._read(size):
            yield part
            if len(part) < size:
                return

    def _read(self, size: int) -> bytes:
        """The next ``size`` bytes; fewer only at the end, whatever a pipe gives at a time."""
        part = bytearray()
        while len(part) < size and (more := self.stream.read(size - len(part))):
            part += more
        return bytes(part)

    def check(self, read: int) -> None:
        """Refuse a file that is another than it was when it was opened.

        Args:
            read: bytes of it that were read.

        Raises:
            Changed: it is, or has another size than it said.
        """
        if self.identity is None:
            return
        try:
            now = Identity.of(os.fstat(self.stream.fileno()))
        except OSError as error:
            raise Changed(f"{self.place} cannot be looked at any more: {error.strerror}.") from error
        if now != self.identity or read != self.identity.size:
            raise Changed(
                f"{self.place} changed while it was being uploaded, so nothing of it was stored. "
                "Upload it again when nothing writes to it."
            )


def standard_input() -> BinaryIO:
    """Standard input, as bytes.

    Raises:
        Unfit: whoever started this process has closed it.
    """
    if sys.stdin is None:
        raise Unfit("Standard input is closed. Give a file, or a pipe.")
    return sys.stdin.buffer


@contextmanager
def opened(path: str | os.PathLike[str], *, name: str | None = None) -> Iterator[Source]:
    """Open what is to be uploaded: a file, a pipe, or ``-`` for standard input.

    Raises:
        Unfit: it is a folder, a device or a socket, cannot be read, or has a name that is no text.
    """
    if os.fspath(path) == STDIN:
        yield Source(standard_input(), as_text(name or "stdin"))
        return
    place = shown(path)
    own = as_text(name or Path(path).name)
    with _open(Path(path), place) as stream:
        found = os.fstat(stream.fileno())
        _refuse_kind(found.st_mode, place)
        if stat.S_ISREG(found.st_mode) and (found.st_size or not stream.peek(1)):
            _outwait_clock_step(found)
            found = os.fstat(stream.fileno())
            yield Source(stream, own, path=Path(path), identity=Identity.of(found))
        else:  # a pipe; or of a kind that, as those of /proc, says no size: it is read to its end
            yield Source(stream, own, path=Path(path))


def _open(path: Path, place: str) -> io.BufferedReader:
    try:
        _refuse_kind(path.stat().st_mode, place)
        return path.open("rb")
    except OSError as error:
        raise Unfit(f"{place} cannot be read: {error.strerror}.") from error


def _refuse_kind(mode: int, place: str) -> None:
    kinds = {
        stat.S_ISDIR: "is a folder. Upload it with `sync up`, or give its files.",
        stat.S_ISCHR: "is a device, which has no end. Give a file, a pipe, or - for standard input.",
        stat.S_ISBLK: "is a device. Give a file, a pipe, or - for standard input.",
        stat.S_ISSOCK: "is a socket. Give a file, a pipe, or - for standard input.",
    }
    for is_kind, why in kinds.items():
        if is_kind(mode):
            raise Unfit(f"{place} {why}")


def _outwait_clock_step(found: os.stat_result) -> None:
    changed = max(found.st_mtime_ns, found.st_ctime_ns) / 1e9
    if 0 <= time.time() - changed < CLOCK_STEP_SECONDS:
        time.sleep(CLOCK_STEP_SECONDS)
