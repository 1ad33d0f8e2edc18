"""The embedded AWS, with a note of what a power cut would leave of its files: what was flushed, and nothing else.

Run as a program in the embedded AWS's environment. Beside the state stands POWER_DIR: ``files/<inode>`` is a file as it was
when it was last flushed, ``folders/<inode>`` the names of a folder then. ``pins`` keeps inodes from being used again.
While there is a file ``slow`` the disk takes nothing, and ``waits`` says that something waits for it.
"""

import contextlib
import json
import os
import shutil
import stat
import time
from pathlib import Path

from apps.stack.embedded import surroundings

surroundings.set_up()

from apps.stack.embedded import durability, server  # noqa: E402 - see above

PLACE = Path(os.environ["POWER_DIR"])
real = os.fsync


def pin(path, inode):
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        os.link(path, PLACE / "pins" / str(inode))


def fsync(descriptor):
    while (PLACE / "slow").exists():
        (PLACE / "waits").touch()
        time.sleep(0.02)
    real(descriptor)
    found, path = os.fstat(descriptor), str(Path(f"/proc/self/fd/{descriptor}").readlink())
    if stat.S_ISDIR(found.st_mode):
        names = {}
        for entry in os.scandir(path):
            with contextlib.suppress(FileNotFoundError):
                names[entry.name] = [entry.inode(), entry.is_dir()]
                if not entry.is_dir():
                    pin(entry.path, entry.inode())
        kept = PLACE / "folders" / str(found.st_ino)
        kept.with_suffix(".new").write_text(json.dumps(names))
        kept.with_suffix(".new").replace(kept)
    else:
        pin(path, found.st_ino)
        kept = PLACE / "files" / str(found.st_ino)
        with contextlib.suppress(FileNotFoundError):  # a journal that a snapshot covers by now
            shutil.copyfile(path, kept.with_suffix(".new"))
            kept.with_suffix(".new").replace(kept)


for folder in ("files", "folders", "pins"):
    (PLACE / folder).mkdir(parents=True)
os.fsync = fsync
durability.COMPACT_ENTRIES = 60
durability.SNAPSHOT_SECONDS = 0.3
server.main()
