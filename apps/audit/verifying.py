"""A verification under way: it may be left after any page, and gone on with by another process (``progress``)."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self

from apps.audit import chain as chains
from apps.audit import checkpoint_chain, store
from apps.audit.chain_keys import ring
from apps.audit.checkpoint_chain import CheckpointProblem, Look
from apps.audit.checkpoints import Checkpoint
from apps.audit.rows import NewestTags, RowCheck, RowProblem
from apps.audit.stored import Checked
from apps.audit.trail import AuditEvent
from apps.audit.walking import Walk
from apps.audit.walks import walk_all, walk_of
from apps.audit.writing import HELD_BACK
from apps.common import clock

Tick = Callable[[], None]
ANNOUNCED_FOR = timedelta(minutes=15)  # an entry announces a checkpoint, which is written within seconds


class Depth(StrEnum):
    """How far a verification goes."""

    SINCE_CHECKPOINT = "since_checkpoint"
    ENTRIES = "entries"
    RECORDS = "records"


@dataclass(slots=True)
class Notes:
    """What is collected from the entries on the way."""

    newest: NewestTags | None = None
    announced: int = 0  # the highest number of a checkpoint that an entry announces
    held_back: int = 0
    news: int = 0  # entries that are more than traces of a checkpoint

    def add(self, found: Checked) -> None:
        """Take one entry into account; what it says counts where it is as it was written."""
        self.news += found.event not in {AuditEvent.CHECKPOINTED, AuditEvent.SIGNER_MADE}
        if found.wrong:
            return
        if self.newest is not None:
            self.newest.add(found.named_rows)
        if found.event == AuditEvent.CHECKPOINTED and found.timestamp < clock.as_text(
            clock.now() - ANNOUNCED_FOR
        ):
            self.announced = max(self.announced, int(json.loads(found.detail)["number"]))
        self.held_back += HELD_BACK in found.detail


@dataclass(slots=True)
class Run:
    """A verification, and how far it is.

    Args:
        depth: how far it goes.
        look: what was found of the checkpoints.
        notes: what was collected from the entries.
        walks: the chains walked until now.
        rows: the records, where they are asked for.
    """

    depth: Depth
    look: Look
    notes: Notes
    walks: dict[str, Walk] = field(default_factory=dict)
    rows: RowCheck | None = None

    @classmethod
    def begin(cls, depth: Depth) -> Self:
        """Begin a verification.

        Raises:
            CheckpointsUnavailable: the bucket of checkpoints does not answer.
        """
        newest = NewestTags() if depth is Depth.RECORDS else None
        look = checkpoint_chain.look(whole=depth is not Depth.SINCE_CHECKPOINT)
        return cls(depth, look, Notes(newest), rows=RowCheck(newest) if newest else None)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The one that it demands: the newest when it began."""
        return self.look.checkpoint

    @property
    def entries(self) -> int:
        """How many entries were read."""
        return sum(walk.entries for walk in self.walks.values())

    @property
    def unsaved(self) -> int:
        """How many newest tags came since they were last kept."""
        return len(self.notes.newest.fresh or ()) if self.notes.newest else 0

    def go(self, tick: Tick) -> None:
        """Do what is left. ``tick`` is called after each page, each table, and every so many rows; it may raise.

        Raises:
            CheckpointsUnavailable: the bucket of checkpoints and archived entries does not answer.
        """
        incremental = self.depth is Depth.SINCE_CHECKPOINT
        walk_all(
            self.checkpoint, incremental=incremental, seen=self.notes.add, after_page=tick, walks=self.walks
        )
        if self.rows is not None:
            self.rows.go(catch_up=self._catch_up, tick=tick, after_table=tick)

    def _catch_up(self) -> None:
        """Add the tags of what was written since the chains were walked."""
        for chain, walk in self.walks.items():
            for entry in store.walk(chain, after=walk.place.sequence):
                if self.notes.newest is not None and chains.is_whole(entry, ring()):
                    self.notes.newest.add(entry.rows)

    @property
    def checkpoint_problems(self) -> list[CheckpointProblem]:
        """What is wrong with the checkpoints."""
        return [*self.look.problems, *self._missing()]

    def _missing(self) -> Iterator[CheckpointProblem]:
        announced, known = self.notes.announced, self.checkpoint
        if known is None or announced > known.number:
            known = checkpoint_chain.look(whole=False).checkpoint  # it may have been made since this began
        if announced > (known.number if known else 0):
            yield CheckpointProblem(announced, "an entry announces it, but it is not there")

    @property
    def tail(self) -> int:
        """How many entries no checkpoint covers yet."""
        covered = self.checkpoint.ends if self.checkpoint else {}
        return sum(
            max(0, walk.place.sequence - (covered[chain].length if chain in covered else 0))
            for chain, walk in self.walks.items()
        )

    def as_document(self) -> dict[str, Any]:
        """Return how far it is, but for the newest tags, which are too many."""
        rows = self.rows
        return {
            "depth": self.depth.value,
            "checkpoint": self.checkpoint.number if self.checkpoint else 0,
            "checkpoint_problems": [[one.number, one.what] for one in self.look.problems],
            "notes": [self.notes.announced, self.notes.held_back, self.notes.news],
            "walks": {chain: walk.as_document() for chain, walk in self.walks.items()},
            "rows": [rows.done, rows.count, [[one.row, one.what] for one in rows.problems]] if rows else None,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any], tags: dict[str, str]) -> Self | None:
        """Return a run that goes on from a document; None where its checkpoint is not to be had any more.

        Raises:
            CheckpointsUnavailable: the bucket of checkpoints does not answer.
        """
        depth, number = Depth(document["depth"]), document["checkpoint"]
        checkpoint = checkpoint_chain.at(number) if number else None
        if number and checkpoint is None:
            return None
        newest = NewestTags(tags) if depth is Depth.RECORDS else None
        problems = [CheckpointProblem(*told) for told in document["checkpoint_problems"]]
        run = cls(depth, Look.of(checkpoint, problems), Notes(newest, *document["notes"]))
        for chain, told in document["walks"].items():
            walk = walk_of(chain, checkpoint, run.notes.add, incremental=depth is Depth.SINCE_CHECKPOINT)
            walk.go_on_from(told)
            run.walks[chain] = walk
        if newest is not None:
            done, count, wrong = document["rows"]
            run.rows = RowCheck(newest, done, count, [RowProblem(*told) for told in wrong])
        return run
