"""Folders of this machine: what is in them, what is left out, and where a name of others may be written."""

import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from qkdclient.errors import Unfit
from qkdclient.names import own_path, shown

OWN = (".qkd-*.part",)  # downloads that are not whole


def files_in(folder: Path, exclude: Sequence[str] = ()) -> Iterator[tuple[str, Path]]:
    """Each regular file below a folder, by its path there with slashes, in order; links are not followed.

    Args:
        folder: where to look.
        exclude: patterns as of a shell. One without a slash fits the name of a file or folder anywhere; one with a
            slash fits the path from ``folder`` on.

    Raises:
        Unfit: it is no folder, or a folder in it cannot be read.
    """
    if not folder.is_dir():
        raise Unfit(f"{shown(folder)} is no folder.")
    patterns = (*exclude, *OWN)
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        here = PurePosixPath(Path(parent).relative_to(folder).as_posix())
        folders[:] = sorted(name for name in folders if not is_excluded(str(here / name), patterns))
        for name in sorted(files):
            path = str(here / name)
            if not is_excluded(path, patterns) and stat.S_ISREG(Path(parent, name).lstat().st_mode):
                yield path, Path(parent, name)


def _refuse(error: OSError) -> None:
    raise Unfit(f"{shown(error.filename)} cannot be read: {error.strerror}.") from error


def is_excluded(path: str, patterns: Sequence[str]) -> bool:
    """Return whether a pattern fits a path or the last part of it.

    >>> is_excluded("build/a.o", ["*.o"]), is_excluded("src/tmp", ["tmp/"]), is_excluded("a/b", ["b/*"])
    (True, True, False)
    """
    name = path.rpartition("/")[2]
    for pattern in patterns:
        bare = pattern.rstrip("/").removeprefix("./")
        if fnmatchcase(path if "/" in bare else name, bare.removeprefix("/")):
            return True
    return False


def place_for(name: str, folder: Path) -> Path:
    """Where a file of this name goes below a folder.

    Raises:
        Unfit: nothing is left of the name, or a folder on the way is a link, which could lead anywhere.
    """
    path = own_path(name)
    if not path.parts:
        raise Unfit(f"{shown(name)} is no name for a file. Download it alone, with -o.")
    place = folder
    for part in path.parts[:-1]:
        place /= part
        if place.is_symlink():
            raise Unfit(f"{shown(place)} is a link. Nothing is written through it; replace it by a folder.")
    return folder / path
