"""The embedded AWS, with a note of what a power cut would leave of its files: what was flushed, and nothing else.

Run as a program in the embedded AWS's environment. Beside the state stands POWER_DIR: ``files/<inode>`` is a file as it was
when it was last flushed, ``folders/<inode>`` the names of a folder then. ``pins`` keeps inodes from being used again.
While there is a file ``slow`` the disk takes nothing whose path has the text in it, and ``waits`` says that something
waits for it. Of what is flushed together, copies of versions come last.
"""

import contextlib
import fcntl
import json
import os
import shutil
import stat
import time
from pathlib import Path

from apps.stack.embedded import surroundings

surroundings.set_up()

from apps.stack.embedded import disk, durability, server  # noqa: E402 - see above

PLACE = Path(os.environ["POWER_DIR"])
real, flush = os.fsync, disk.flush


def pin(path, inode):
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        os.link(path, PLACE / "pins" / str(inode))


def is_slow(path):
    with contextlib.suppress(FileNotFoundError):
        return (PLACE / "slow").read_text() in path
    return False


@contextlib.contextmanager
def alone(kept):
    """A thread and the copy that writes snapshots flush one folder at once: the later look at it has to stay."""
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield kept.with_suffix(".new"), kept
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a copy of this process made meanwhile has the file open, too


def fsync(descriptor):
    found, path = os.fstat(descriptor), str(Path(f"/proc/self/fd/{descriptor}").readlink())
    while is_slow(path):
        (PLACE / "waits").touch()
        time.sleep(0.02)
    real(descriptor)
    if stat.S_ISDIR(found.st_mode):
        note_names(path, found.st_ino)
    else:
        pin(path, found.st_ino)
        with alone(PLACE / "files" / str(found.st_ino)) as (new, kept):
            shutil.copyfile(f"/proc/self/fd/{descriptor}", new)  # it may have another name by now, or none
            new.replace(kept)


def note_names(path, inode):
    with alone(PLACE / "folders" / str(inode)) as (new, kept):
        names = {}
        for entry in os.scandir(path):
            with contextlib.suppress(FileNotFoundError):
                names[entry.name] = [entry.inode(), entry.is_dir()]
                if not entry.is_dir():
                    pin(entry.path, entry.inode())
        new.write_text(json.dumps(names))
        new.replace(kept)


for folder in ("files", "folders", "pins"):
    (PLACE / folder).mkdir(parents=True)
os.fsync = fsync
disk.flush = lambda paths: flush(sorted(paths, key=lambda path: ".versions" in path.parts))
durability.COMPACT_ENTRIES = 60
durability.SNAPSHOT_SECONDS = 0.3
server.main()
