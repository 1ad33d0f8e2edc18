"""How folders are synchronised, and what became of each file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from qkdclient.locks import PRIVATE
from qkdclient.progress import Progress, silent

JOBS = 4  # transfers at once

Track = Callable[[str], Progress]


def untracked(_label: str) -> Progress:
    """Show no progress."""
    return silent


@dataclass
class Report:
    """What became of each file, by its path in the folder."""

    sent: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    awaited: list[str] = field(default_factory=list)  # sent, and not encrypted yet
    failed: dict[str, Exception] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How files are transferred."""

    document_type: str = "document"
    exclude: Sequence[str] = ()
    delete: bool = False
    overwrite: bool = False
    local: bool = False
    passphrase: str | None = None
    mode: int = PRIVATE
    dry_run: bool = False
    jobs: int = JOBS
    track: Track = untracked
