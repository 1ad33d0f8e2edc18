"""What a folder and the platform had in common when they were last compared. It saves work, and shows conflicts."""

import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qkdclient.locks import PRIVATE, locked
from qkdclient.names import shown
from qkdclient.sources import Identity
from qkdclient.state import state_folder

SAVE_SECONDS = 2.0  # what a kill loses is found again by comparing
BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Known:
    """A file here, as it was, and the file there that had the same content."""

    identity: dict[str, int]
    sha256: str
    file_id: str = ""
    version: int = 0


class SyncState:
    """What is known of a folder's files, by their path in it. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock, self._saved_at = file, threading.Lock(), time.monotonic()
        self._known, self._outdated = _load(file)

    def sha256_here(self, path: str, file: Path) -> str:
        """The SHA-256 of a file here; read only if it is another one than was known."""
        identity = Identity.of(file.stat()).as_dict()
        known = self._known.get(path)
        if known is not None and known.identity == identity:
            return known.sha256
        digest = hashlib.sha256()
        with file.open("rb") as source:
            while block := source.read(BLOCK):
                digest.update(block)
        if known is None or known.sha256 != digest.hexdigest():
            return digest.hexdigest()
        self.keep(path, Known(identity, known.sha256, known.file_id, known.version))
        return known.sha256

    def sha256_there(self, path: str, file: dict[str, Any]) -> str | None:
        """The SHA-256 of a file there, where it is known without asking."""
        known = self._known.get(path)
        if known is None or (known.file_id, known.version) != (file["file_id"], file["version"]):
            return None
        return known.sha256

    def is_ours(self, path: str, sha256: str) -> bool:
        """Return whether a file here is as it was left: nobody has changed it since."""
        known = self._known.get(path)
        return known is not None and known.sha256 == sha256

    def paths(self) -> list[str]:
        """Every path that is known."""
        return list(self._known)

    def agree(self, path: str, here: Path, sha256: str, there: dict[str, Any]) -> None:
        """Keep that a file here and one there have the same content."""
        identity = Identity.of(here.stat()).as_dict()
        self.keep(path, Known(identity, sha256, there["file_id"], there["version"]))

    def keep(self, path: str, known: Known) -> None:
        """Keep what is known of a path, on the disk now and then."""
        with self._lock:
            self._known[path] = known
            if time.monotonic() - self._saved_at > SAVE_SECONDS:
                self._save()

    def outdate(self, path: str, file_id: str) -> None:
        """Note, on the disk at once, that a file there is to be deleted once its successor is there."""
        with self._lock:
            self._outdated.setdefault(path, []).append(file_id)
            self._save()

    def outdated(self, path: str) -> list[str]:
        """The ids of the files there that were to be deleted."""
        return list(self._outdated.get(path, ()))

    def replaced(self, path: str, file_id: str) -> None:
        """Note that one was."""
        with self._lock:
            self._outdated[path].remove(file_id)

    def drop(self, path: str) -> None:
        """Forget a path. Idempotent."""
        with self._lock:
            self._known.pop(path, None)

    def save(self) -> None:
        """Keep all of it on the disk."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        new = self._file.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
        with os.fdopen(descriptor, "w") as out:
            known = {path: asdict(known) for path, known in self._known.items()}
            json.dump({"known": known, "outdated": self._outdated}, out)
        new.replace(self._file)
        self._saved_at = time.monotonic()


@contextmanager
def synced(folder: Path, name: str, *, server: str, api_key: str) -> Iterator[SyncState]:
    """What is known of a folder and a name there, for this process alone.

    Raises:
        Busy: another process synchronises the same.
    """
    kept = state_folder("sync")
    about = json.dumps([server, str(folder.resolve()), name])
    file = kept / f"{hmac.new(api_key.encode(), about.encode(), hashlib.sha256).hexdigest()}.json"
    busy = f"{shown(folder)} is being synchronised by another process. Wait for it."
    with locked(file.with_suffix(".lock"), busy=busy):
        state = SyncState(file)
        try:
            yield state
        finally:
            state.save()


def _load(file: Path) -> tuple[dict[str, Known], dict[str, list[str]]]:
    """What was kept; nothing where it cannot be read, or another version kept it: all is compared again then."""
    try:
        kept = json.loads(file.read_text())
        return {path: Known(**known) for path, known in kept["known"].items()}, dict(kept["outdated"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}, {}
