"""S3, made strict: what ministack could not write, remove or read on the disk is never answered as done.

It logs such a failure and goes on from memory: an acknowledged object would be gone after the next start, and one
that cannot be read would be answered as empty.
"""

import logging
import sys
from pathlib import Path
from typing import Any

from ministack.services import s3

from apps.stack.embedded.disk import Disk, flush
from apps.stack.embedded.ending import end


class _Strict(logging.Filter):
    """Turns ministack's warnings about what it swallows into what they are.

    It runs inside of the ``except`` block that logs, so the exception is still there to be raised.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        message = str(record.msg)
        if message.startswith("Failed to read"):  # nothing has changed: the caller gets an error
            error = sys.exc_info()[1]
            raise error if error is not None else OSError(record.getMessage())
        if message.startswith(("Failed to persist", "Failed to delete")):
            end("an object cannot be kept on the disk", sys.exc_info()[1])
        return True


class StrictObjects:
    """Hooks into ministack's S3."""

    service = "s3"

    def __init__(self) -> None:
        self.loaded = False

    def install(self) -> None:
        """Put the hooks in place, before ministack serves."""
        s3.logger.addFilter(_Strict())
        self._load_state = s3.load_persisted_state
        s3.load_persisted_state = self._load
        self._persist = s3._persist_object  # noqa: SLF001
        s3._persist_object = self._persist_and_forget  # noqa: SLF001

    def _load(self, data: dict[str, Any]) -> None:
        self._load_state(data)
        self.loaded = True

    def _persist_and_forget(self, bucket: str, key: str, made: dict[str, Any]) -> None:
        """Persist an object, then keep no version's body in memory: it is on the disk, where it is read from."""
        self._persist(bucket, key, made)
        for version in s3._object_versions.get((bucket, key)) or []:  # noqa: SLF001
            version["data"] = None


class FlushedObjects:
    """Has what S3 writes flushed before its answer leaves."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._root = Path(s3.DATA_DIR).parent
        self._displaced = Path(s3.DATA_DIR) / s3._VERSIONS_DIR  # noqa: SLF001
        self._known: set[Path] = set()  # folders that are on the disk, or noted

    def install(self) -> None:
        """Put the hook in place."""
        self._atomic_write = s3._atomic_write  # noqa: SLF001
        s3._atomic_write = self._write_and_note  # noqa: SLF001

    def _write_and_note(self, path: str, data: Any, *, text: bool = False) -> None:
        """Write a file, to be flushed with its folders before the answer leaves.

        One that takes another's place is flushed before: what was there was acknowledged, and must not become a file
        that a power cut left empty. So is the copy of a version that another one is about to take the place of: files
        are flushed in any order, and of an acknowledged version only the name would be left.
        """
        file = Path(path)
        if file.exists():
            temporary = file.with_name(file.name + ".new")
            self._atomic_write(str(temporary), data, text=text)
            flush([temporary])
            temporary.replace(file)
        else:
            self._atomic_write(path, data, text=text)
        changed = [file, *self._folders_of(file)]
        if self._displaced in file.parents:
            flush(changed)
        else:
            self._disk.note(*changed)

    def _folders_of(self, file: Path) -> list[Path]:
        """The folder of a file, and those above it that may be as new."""
        folders = [file.parent]
        for folder in file.parents:
            if folder in self._known or folder == self._root:
                break
            self._known.add(folder)
            folders.append(folder.parent)
        return folders
