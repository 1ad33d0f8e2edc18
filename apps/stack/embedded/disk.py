"""What was changed, brought to the disk itself: after a power cut it is there.

Many changes are flushed together, in a thread: whoever answers waits for the flush that covers what was changed before
its answer. A flush that fails ends the process, as nobody can tell what a second one would leave out.
"""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from apps.stack.embedded.ending import end


class Disk:
    """Files and folders that changed since they were last flushed."""

    def __init__(self) -> None:
        self._changed: set[Path] = set()
        self._noted = 0
        self.flushed = 0  # whatever was noted up to this number is on the disk
        self._flushing: asyncio.Task[None] | None = None

    def note(self, *paths: Path) -> int:
        """Remember what has to be flushed before the next answer; of a file that is new, its folder too.

        Returns:
            its number, which ``flushed`` reaches once that is done.
        """
        self._changed.update(paths)
        self._noted += 1
        return self._noted

    async def settled(self) -> None:
        """Wait until whatever was noted until now is flushed."""
        wanted = self._noted
        while self.flushed < wanted:
            if self._flushing is None:
                self._flushing = asyncio.create_task(self._flush())
            await asyncio.shield(self._flushing)  # who asked may go away meanwhile; the others wait on

    async def _flush(self) -> None:
        covered, changed, self._changed = self._noted, self._changed, set()
        try:
            await asyncio.to_thread(flush, changed)
        except OSError as error:
            end("the disk cannot be flushed", error)
        finally:
            self._flushing = None
        self.flushed = covered


def flush(paths: Iterable[Path]) -> None:
    """Flush files and folders; what is gone meanwhile needs none.

    Raises:
        OSError: the disk fails.
    """
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
