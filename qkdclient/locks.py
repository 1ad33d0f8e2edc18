"""Files that one process at a time holds. A kernel's lock ends with its process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qkdclient.errors import Busy, Unfit

PRIVATE = 0o600


@contextmanager
def locked(path: Path, *, busy: str) -> Iterator[int]:
    """Hold a file, made if it is not there, as an open descriptor for reading and writing.

    Raises:
        Busy: another process, or another part of this one, holds it; ``busy`` is what it says.
        Unfit: it cannot be made.
    """
    descriptor = _hold(path, busy)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _hold(path: Path, busy: str) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
        except OSError as error:
            raise Unfit(f"{path.parent} cannot be written to: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Busy(busy) from None
        if _is_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # whoever held it before has removed or renamed it


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False
