"""What an interrupted upload needs to go on: kept in the user's cache directory, one small file for each."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def _directory() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "qkdclient"


class UploadState:
    """Which announced upload belongs to a file as it is now, on one server."""

    def __init__(self, server: str, path: Path) -> None:
        name = hashlib.sha256(f"{server}\n{path.resolve()}".encode()).hexdigest()
        self._file = _directory() / f"{name}.json"
        found = path.stat()
        self._is = {"size": found.st_size, "changed": found.st_mtime_ns, "inode": found.st_ino}

    def load(self) -> dict[str, Any] | None:
        """What was kept; None where nothing was, or the file has changed since."""
        try:
            kept = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return None
        return kept["upload"] if isinstance(kept, dict) and kept.get("file") == self._is else None

    def save(self, upload: dict[str, Any]) -> None:
        """Keep it."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.write_text(json.dumps({"file": self._is, "upload": upload}))

    def forget(self) -> None:
        """The upload is done, or given up."""
        self._file.unlink(missing_ok=True)
