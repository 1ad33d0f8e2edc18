"""Snapshots of one service's whole state, in the format that ministack reads at start."""

import json
import os
from pathlib import Path
from typing import Any

from ministack.core import persistence


def write(directory: Path, service: str, state: dict[str, Any]) -> None:
    """Replace a service's snapshot, complete on the disk before the old one goes."""
    path = directory / f"{service}.json"
    document = {"__ministack_format__": persistence._state_format_version(service), "payload": state}  # noqa: SLF001 - its save_state hides failures
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        json.dump(document, file, default=persistence._json_default)  # noqa: SLF001 - the same format
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
