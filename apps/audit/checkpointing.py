"""Make a checkpoint: read what came since the last one, verify it, sign where all chains end, and keep that apart.

A chain that does not verify keeps the end that the checkpoint before gave it, so that damage neither stops the others
from being covered nor is ever signed. The entry that announces a checkpoint is written before it (I1).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from apps.audit import bucket, checkpoint_chain, signers
from apps.audit.checkpoint_chain import Kept
from apps.audit.checkpoints import FIRST, Checkpoint, End
from apps.audit.records import Actor, Problem
from apps.audit.services import record
from apps.audit.trail import AuditEvent
from apps.audit.verifying import Notes
from apps.audit.walking import Walk
from apps.audit.walks import walk_all
from apps.common import clock

log = logging.getLogger(__name__)
ATTEMPTS = 5  # keys that are taken: by another process, or by somebody who wants to stop this


@dataclass(frozen=True, slots=True)
class Made:
    """What came of it: the newest checkpoint, whether it is new, and what is wrong with the entries since."""

    checkpoint: Checkpoint | None
    is_new: bool
    problems: list[Problem]


def make(*, actor: Actor) -> Made:
    """Make a checkpoint, unless nothing was written since the last one.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or every key that was tried is taken.
        AuditUnavailable: the entry cannot be written; no checkpoint is made.
        RootKeyUnavailable, SigningKeyUnavailable: the signing key cannot be had now.
    """
    before = checkpoint_chain.look(whole=False).newest
    last = before.checkpoint if before else None
    notes = Notes()
    walks = walk_all(last, incremental=True, seen=notes.add)
    problems = [problem for walk in walks.values() for problem in walk.problems]
    for problem in problems:
        log.error("the audit trail is damaged: %s", problem)
    ends, held = _ends(last, walks)
    if not notes.news or (last and (ends, held) == (last.ends, last.held)):
        return Made(last, False, problems)
    return Made(_write(before, ends, held, actor), True, problems)


def _ends(last: Checkpoint | None, walks: Mapping[str, Walk]) -> tuple[dict[str, End], tuple[str, ...]]:
    ends = dict(last.ends) if last else {}
    for chain, walk in walks.items():
        if not walk.problems and walk.place.sequence:
            ends[chain] = End(walk.place.sequence, walk.place.hash)
    return ends, tuple(chain for chain, walk in walks.items() if walk.problems)


def _write(before: Kept | None, ends: Mapping[str, End], held: tuple[str, ...], actor: Actor) -> Checkpoint:
    signing = signers.current(actor=actor)
    first = before.checkpoint.number + 1 if before else 1
    for number in range(first, first + ATTEMPTS):
        made = Checkpoint(
            number=number,
            made_at=clock.now(),
            previous=before.digest if before else FIRST,
            ends=ends,
            public_key=signing.public_key,
            held=held,
        )
        record(actor, AuditEvent.CHECKPOINTED, number=number, entries=made.entries, held=list(held))
        if bucket.write(number, made.as_object(signing.sign(made.signed_content()))):
            return made
        other = checkpoint_chain.look(whole=False).checkpoint
        if other is not None and other.number >= number:  # another process made one meanwhile
            return other
    raise bucket.CheckpointsUnavailable(
        f"The keys after {bucket.key_of(first)} are taken by what is no checkpoint; tell the operator."
    )
