"""Where downloads go: into a part that one process holds, and under their name only once they are whole and right."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qkdclient.errors import Exists, Unfit
from qkdclient.locks import PRIVATE, locked
from qkdclient.names import own_name, shown

READ_BYTES = 2**20
# A file system without hard links says one of these.
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class Target:
    """A path for a download. Only one that somebody named, or said to overwrite, may be overwritten."""

    path: Path
    overwrite: bool = False
    mode: int = PRIVATE  # it was kept secret until now

    @property
    def is_stream(self) -> bool:
        """Return whether what is there takes bytes as they come: a pipe or a device, which must not be replaced."""
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return False
        return not stat.S_ISREG(mode)

    def check(self) -> None:
        """Refuse before anything is downloaded.

        Raises:
            Exists: it is there and may not be overwritten.
        """
        if not self.overwrite and os.path.lexists(self.path):
            raise Exists(
                f"{shown(self.path)} exists. Give --force to overwrite it, or another place with -o."
            )


def target_of(
    name: str,
    file_id: str,
    output: str | os.PathLike[str] | None,
    *,
    overwrite: bool = False,
    mode: int = PRIVATE,
) -> Target:
    """Where a file goes: the file that ``output`` names, its own name in that folder, or in this one.

    A folder that ``output`` names by a slash at its end is made.

    Raises:
        Exists: what is there takes bytes as they come, and nobody named it.
    """
    own = own_name(name, otherwise=file_id)
    place = "" if output is None else os.fspath(output)
    if output is None or place.endswith(os.sep) or Path(place).is_dir():
        target = Target(Path(place, own), overwrite, mode)
    else:
        path = Path(place)
        # Of a link, what it points to is written, as by every other program
        target = Target(path.resolve() if path.is_symlink() else path, True, mode)
    if place.endswith(os.sep):
        target.path.parent.mkdir(parents=True, exist_ok=True)
    if target.is_stream and not target.overwrite:
        raise Exists(f"{shown(target.path)} is no file. Give another place with -o.")
    return target


class Part:
    """What has arrived of a download."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self._path = descriptor, path

    def keep(self, size: int, *, step: int = 1) -> int:
        """Keep at most ``size`` bytes, a multiple of ``step``, and go on behind them; return how many those are."""
        there = os.fstat(self._descriptor).st_size
        kept = min(there // step * step, size // step * step) if there != size else size
        os.ftruncate(self._descriptor, kept)
        return os.lseek(self._descriptor, kept, os.SEEK_SET)

    def write(self, piece: bytes) -> None:
        """Add bytes.

        Raises:
            Unfit: there is no room for them.
        """
        view = memoryview(piece)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise Unfit(
                f"{shown(self._path.parent)} cannot take more: {error.strerror}. What has arrived is kept; "
                "make room, then give the same command again to continue."
            ) from error

    def sha256(self) -> str:
        """The SHA-256 of what is on the disk, not of what was sent there."""
        digest = hashlib.sha256()
        os.fsync(self._descriptor)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while piece := os.read(self._descriptor, READ_BYTES):
            digest.update(piece)
        return digest.hexdigest()

    def publish(self, target: Target) -> None:
        """Give it its name, all at once.

        Raises:
            Exists: something of that name came meanwhile.
        """
        os.fsync(self._descriptor)
        os.fchmod(self._descriptor, target.mode)
        if target.overwrite:
            self._path.replace(target.path)
        else:
            self._link(target)
        _sync_folder(target.path.parent)

    def _link(self, target: Target) -> None:
        """Rename without overwriting; a rename alone would overwrite."""
        try:
            os.link(self._path, target.path)
        except FileExistsError:
            target.check()
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            target.check()
            self._path.rename(target.path)
            return
        self.remove()

    def remove(self) -> None:
        """Remove it. Idempotent."""
        self._path.unlink(missing_ok=True)


@contextmanager
def part_of(target: Target, *, server: str, file_id: str, version: int) -> Iterator[Part]:
    """The part of one content of a file for one target, for this process alone. Its name has a fixed length.

    Raises:
        Busy: another process downloads the same to the same place.
        Unfit: nothing can be written there.
    """
    about = "\n".join([server, file_id, str(version), ascii(target.path.name)])
    path = target.path.parent / f".qkd-{hashlib.sha256(about.encode()).hexdigest()[:32]}.part"
    busy = f"{shown(target.path)} is being downloaded by another process. Wait for it."
    _split(path)
    with locked(path, busy=busy) as descriptor:
        yield Part(descriptor, path)


def _split(path: Path) -> None:
    """Let go of a part that got its name, when the process was killed before the part's own was removed."""
    try:
        if path.stat(follow_symlinks=False).st_nlink > 1:
            path.unlink()
    except FileNotFoundError:
        return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
