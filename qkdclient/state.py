"""What an interrupted upload needs to continue: one small file for each in the user's cache directory."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def _directory() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "qkdclient"


class UploadState:
    """Remembers which upload belongs to a file, as the file is now, on one server."""

    def __init__(self, server: str, path: Path) -> None:
        name = hashlib.sha256(f"{server}\n{path.resolve()}".encode()).hexdigest()
        self._file = _directory() / f"{name}.json"
        found = path.stat()
        self._is = {"size": found.st_size, "changed": found.st_mtime_ns, "inode": found.st_ino}

    def load(self) -> dict[str, Any] | None:
        """The upload that was saved; None if there is none, or the file has changed since."""
        try:
            kept = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return None
        return kept["upload"] if isinstance(kept, dict) and kept.get("file") == self._is else None

    def save(self, upload: dict[str, Any]) -> None:
        """Save the upload."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.write_text(json.dumps({"file": self._is, "upload": upload}))

    def forget(self) -> None:
        """Remove what was saved. Idempotent."""
        self._file.unlink(missing_ok=True)
