"""Verify the trail (D3, D5): every chain against itself and the newest checkpoint; on demand, the records too.

In full from the first entries, or from the newest checkpoint on. Entries are read as a stream, in constant memory; of
the records' newest tags, which the entries name, all are kept where they are asked for: about 200 bytes for each
record of the platform.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain as concatenated

from apps.audit import chain as chains
from apps.audit import store
from apps.audit.chain_keys import ring
from apps.audit.checkpoint_chain import CheckpointProblem
from apps.audit.checkpoints import Checkpoint
from apps.audit.records import Entry, Problem
from apps.audit.rows import RowProblem
from apps.audit.services import entries_page
from apps.audit.verifying import Depth, Run

__all__ = ["Depth", "Verification", "verify"]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found. ``records`` counts the rows held against the trail, None where none were."""

    chains: int
    entries: int
    problems: list[Problem]
    records: int | None = None
    row_problems: list[RowProblem] = field(default_factory=list)
    checkpoint_problems: list[CheckpointProblem] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    tail: int = 0  # entries that no checkpoint covers yet
    held_back: int = 0  # entries whose time was set to that of the one before, as the clock had gone back

    @property
    def whole(self) -> bool:
        """Return whether nothing was found."""
        return not self.problems and not self.row_problems and not self.checkpoint_problems

    def all_problems(self) -> Iterator[str]:
        """Yield every problem as a sentence."""
        yield from map(str, concatenated(self.checkpoint_problems, self.problems, self.row_problems))

    def tail_text(self, now: datetime) -> str:
        """Say what the newest entries are worth, which no checkpoint covers."""
        if self.checkpoint is None:
            return "There is no checkpoint yet: whoever writes the tables could remove whole chains unseen."
        minutes = (now - self.checkpoint.made_at).total_seconds() / 60
        return (
            f"Up to {self.checkpoint} every entry is bound by a signature. The {self.tail} entries since then"
            f" ({minutes:.0f} minutes) cannot be changed unseen, but whoever writes the tables could set them back."
        )


def verify(depth: Depth = Depth.ENTRIES, *, progress: Progress | None = None) -> Verification:
    """Verify every chain.

    Args:
        depth: ``SINCE_CHECKPOINT`` trusts what the newest checkpoint covers; ``ENTRIES`` reads every chain from its
            first entry; ``RECORDS`` holds every record against what the entries name, too.
        progress: told how many entries were read, after each page and every so many records.

    Raises:
        CheckpointsUnavailable: the bucket of checkpoints does not answer.
    """
    run = Run.begin(depth)
    run.go(lambda: progress(run.entries) if progress else None)
    return result_of(run)


def result_of(run: Run) -> Verification:
    """Return what a verification found that came to its end."""
    return Verification(
        chains=sum(bool(walk.place.sequence) for walk in run.walks.values()),
        entries=run.entries,
        problems=[problem for walk in run.walks.values() for problem in walk.problems],
        records=run.rows.count if run.rows else None,
        row_problems=run.rows.problems if run.rows else [],
        checkpoint_problems=run.checkpoint_problems,
        checkpoint=run.checkpoint,
        tail=run.tail,
        held_back=run.notes.held_back,
    )


def expected_entries() -> int:
    """How many entries the heads count, as they are stored: what a verification has to read, about."""
    return store.counted_entries()


def is_authentic(entry: Entry) -> bool:
    """Return whether an entry is as the platform wrote it."""
    return chains.is_whole(entry, ring())


def proven_entries(*, by: str, value: str, limit: int) -> list[Entry]:
    """Read the newest entries about a subject, as ``entries_page``; what the platform did not write is left out."""
    return [entry for entry in entries_page(limit=limit, by=by, value=value).records if is_authentic(entry)]
