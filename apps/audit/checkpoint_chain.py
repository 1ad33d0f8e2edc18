"""The checkpoints that there are: the newest that counts, and what is wrong with the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from apps.audit import bucket, signers
from apps.audit.bucket import Slot
from apps.audit.checkpoints import FIRST, MAX_BYTES, Checkpoint, NotACheckpoint, digest_of

READ_AT_MOST = 1000  # the newest ones, of a whole look: three and a half days of one every five minutes
WINDOW = 1024  # keys of one listing, about


@dataclass(frozen=True, slots=True)
class CheckpointProblem:
    """What is wrong with the checkpoints, and where."""

    number: int
    what: str

    def __str__(self) -> str:
        return f"checkpoint {self.number}: {self.what}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that counts, and the digest by which the next one names it."""

    checkpoint: Checkpoint
    digest: str


@dataclass(slots=True)
class Look:
    """What a look at the bucket found."""

    newest: Kept | None = None
    problems: list[CheckpointProblem] = field(default_factory=list)

    @classmethod
    def of(cls, checkpoint: Checkpoint | None, problems: list[CheckpointProblem]) -> Self:
        """Return a look that was taken before."""
        return cls(Kept(checkpoint, "") if checkpoint else None, problems)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest that counts."""
        return self.newest.checkpoint if self.newest else None


def look(*, whole: bool) -> Look:
    """Find the newest checkpoint that counts; with ``whole``, also what is missing, hidden, foreign or unlinked.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or is not there.
    """
    accepted = signers.accepted()
    if whole:
        return _whole_look(list(bucket.slots()), accepted)
    found = _newest_of(list(bucket.slots(after=_window())), accepted)
    return Look(found or _newest_of(list(bucket.slots()), accepted))


def newest_before(moment: datetime) -> Checkpoint | None:
    """Find the newest checkpoint that counts of those made until a moment; None where there is none.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or is not there.
    """
    accepted = signers.accepted()
    newest = look(whole=False).checkpoint
    found, low, high = None, 1, newest.number if newest else 0
    while low <= high:
        middle = (low + high) // 2
        one = next((kept for number in range(middle, low - 1, -1) if (kept := _at(number, accepted))), None)
        if one is None:
            low = middle + 1
        elif one.made_at <= moment:
            found, low = one, middle + 1
        else:
            high = one.number - 1
    return found


def at(number: int) -> Checkpoint | None:
    """Return the checkpoint of a number; None where none that counts is there.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or is not there.
    """
    return _at(number, signers.accepted())


def _at(number: int, accepted: frozenset[str]) -> Checkpoint | None:
    key = bucket.key_of(number)
    slot = next((slot for slot in bucket.keys(key) if slot.key == key), None)
    kept = _oldest_that_counts(slot, accepted)[0] if slot else None
    return kept.checkpoint if kept else None


def _window() -> int:
    """A number a little below the newest, by few listings: there are keys after it."""
    low, step = 0, WINDOW
    while bucket.is_any(after=low + step):
        low, step = low + step, step * 2
    while step > WINDOW:
        step //= 2
        if bucket.is_any(after=low + step):
            low += step
    return low


def _newest_of(slots: Sequence[Slot], accepted: frozenset[str]) -> Kept | None:
    for slot in reversed(slots):
        kept, _ = _oldest_that_counts(slot, accepted)
        if kept:
            return kept
    return None


def _oldest_that_counts(slot: Slot, accepted: frozenset[str]) -> tuple[Kept | None, list[str]]:
    """Return the checkpoint of a key, and what is wrong with the versions before it."""
    wrong: list[str] = []
    for version in slot.versions:
        stored = bucket.read(slot, version, limit=MAX_BYTES + 1)
        try:
            checkpoint = Checkpoint.of(stored, number=slot.number)
        except NotACheckpoint as error:
            wrong.append(f"the platform did not write what is there: {error}")
            continue
        if checkpoint.signer in accepted:
            return Kept(checkpoint, digest_of(stored)), wrong
        wrong.append(f"it is signed by the key {checkpoint.signer}, which does not count")
    return None, wrong


def _whole_look(slots: Sequence[Slot], accepted: frozenset[str]) -> Look:
    found = Look()
    first_read = max(0, len(slots) - READ_AT_MOST)
    expected = 1
    for place, slot in enumerate(slots):
        found.problems += [CheckpointProblem(number, "it is gone") for number in _gap(expected, slot.number)]
        expected = max(expected, slot.number + 1)
        found.problems += [CheckpointProblem(slot.number, what) for what in _wrong_with(slot)]
        if place < first_read:
            continue
        kept, wrong = _oldest_that_counts(slot, accepted)
        found.problems += [CheckpointProblem(slot.number, what) for what in wrong]
        if kept:
            may_follow = place == first_read > 0 or _follows(kept.checkpoint, found.newest)
            if not may_follow:
                found.problems.append(
                    CheckpointProblem(slot.number, "it does not continue the one before it")
                )
            found.newest = kept
    return found


def _gap(expected: int, number: int) -> Iterator[int]:
    # A key far ahead is somebody else's: the first hundred numbers before it are enough to say so
    yield from range(expected, min(number, expected + 100))


def _wrong_with(slot: Slot) -> Iterator[str]:
    if slot.number == 0:
        yield f"the key {slot.key[:80]!r} is none of a checkpoint"
    if slot.is_hidden:
        yield "a delete marker hides it"
    if len(slot.versions) > 1:
        yield f"it was written {len(slot.versions)} times; the oldest counts"
    if not slot.versions:
        yield "it is gone"


def _follows(checkpoint: Checkpoint, before: Kept | None) -> bool:
    if before is None:
        return checkpoint.previous == FIRST
    shorter = any(
        chain not in checkpoint.ends or checkpoint.ends[chain].length < end.length
        for chain, end in before.checkpoint.ends.items()
    )
    return checkpoint.previous == before.digest and not shorter
