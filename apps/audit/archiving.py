"""Move old entries to the archive: write, read back, verify, then remove from the table in slices.

An entry leaves the table only once all of this holds: a checkpoint that is old enough, signed by a key that counts,
names an end of its chain behind it; every entry up to that end was read and verified, and the end is the one that the
checkpoint names; and the archive's object, read back, is a block whose last entry has the hash found on that way. So the
signature covers, by the chain of hashes, exactly what the object holds. The removal of each slice demands that the rows
have those hashes, and commits with its entry and with the row that says how far the archive goes (I1).

Interrupted anywhere, it is gone on with: what is written is found, what is removed is noted.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain as concatenated

from django.conf import settings

from apps.audit import archive, bucket, checkpoint_chain, reading, store
from apps.audit.archive import BLOCK, Block, Sound
from apps.audit.chain_keys import ring
from apps.audit.checkpoints import Checkpoint, End
from apps.audit.places import as_told
from apps.audit.records import Actor, Archived
from apps.audit.services import Conflict, transaction
from apps.audit.store import ARCHIVE, ArchiveTable, EntryTable
from apps.audit.trail import AuditEvent
from apps.audit.walking import Demand, Item, Place, Walk, start_of
from apps.common import clock

log = logging.getLogger(__name__)
SLICE = 96  # entries of a transaction of at most 100 operations: with the row, its own entry, and a head
SLICE_BYTES = 2**20  # of what DynamoDB allows a transaction: 4 MB
YOUNGEST_DAYS = 30  # approvals, which are looked up in the trail, end after a day


class NotArchived(Exception):
    """A chain stays as it is; says why."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be archived of a chain."""

    chain: str
    done: Archived
    is_noted: bool  # a row says how far the chain was archived
    end: End
    by: str  # the checkpoint, in sentences

    @property
    def last(self) -> int:
        """The number of the last block: one that ends before the end, so that this stays in the table."""
        return (self.end.length - 1) // BLOCK

    @property
    def entries(self) -> int:
        """How many entries move."""
        return max(0, self.last * BLOCK - self.done.through)


def due() -> list[Due]:
    """Find what is to be archived: whole blocks that a checkpoint older than AUDIT_ARCHIVE_DAYS covers.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or is not there.
    """
    days = settings.AUDIT_ARCHIVE_DAYS
    checkpoint = (
        checkpoint_chain.newest_before(clock.now() - timedelta(days=max(days, YOUNGEST_DAYS)))
        if days
        else None
    )
    if checkpoint is None:
        return []
    found = [_due(chain, end, checkpoint) for chain, end in sorted(checkpoint.ends.items())]
    return [one for one in found if one.entries]


def _due(chain: str, end: End, checkpoint: Checkpoint) -> Due:
    row = ArchiveTable.find(ARCHIVE, chain)
    if row is not None:
        return Due(chain, row, True, end, str(checkpoint))
    begin = start_of(chain)
    blank = Archived(place=ARCHIVE, chain=chain, through=0, hash=begin.hash, timestamp="")
    return Due(chain, blank, False, end, str(checkpoint))


def move(one: Due, *, actor: Actor, tick: Callable[[int], None] = lambda _: None) -> None:
    """Archive what is due of a chain.

    Args:
        one: what is due.
        actor: who acts.
        tick: told after each slice how many entries were moved since the last; it may raise to stop here.

    Raises:
        NotArchived: the chain does not verify, or the archive does not hold what it should; what was moved before stays so.
        CheckpointsUnavailable: the bucket does not answer, or refuses.
        AuditUnavailable: an entry cannot be written; nothing of its slice was removed.
    """
    hashes = _verify(one)
    walk = Walk(one.chain, Place(one.done.through, one.done.hash, one.done.timestamp), ring())
    noted, is_noted = one.done, one.is_noted
    for number in range(one.done.through // BLOCK + 1, one.last + 1):
        block = Block(one.chain, number)
        kept = _keep(block, walk)
        if kept.walk.place.hash != hashes[number]:
            raise NotArchived(f"{block} is not what {one.by} covers.")
        for items in _slices(kept.items):
            noted = _remove(block, items, noted, is_noted=is_noted, actor=actor)
            is_noted = True
            tick(len(items))
        walk = kept.walk


def _verify(one: Due) -> dict[int, str]:
    """Read a chain from where the archive ends up to what the checkpoint names; return the hashes that blocks end with.

    Raises:
        NotArchived: something is wrong on the way.
    """
    walk = Walk(one.chain, Place(one.done.through, one.done.hash, one.done.timestamp), ring())
    walk.demand = Demand(one.end.length, one.end.hash, one.by)
    hashes: dict[int, str] = {}

    def note(found: object) -> None:
        del found
        if walk.place.sequence % BLOCK == 0:
            hashes[walk.place.sequence // BLOCK] = walk.place.hash

    walk.seen = note
    for page in reading.pages(one.chain, after=one.done.through, until=one.end.length):
        walk.take(page)
        if walk.problems:
            break
    if walk.problems or walk.place.sequence != one.end.length:
        first = walk.problems[0] if walk.problems else f"chain {one.chain} ends at {walk.place.sequence}"
        raise NotArchived(f"The chain does not verify up to {one.by}: {first}.")
    return hashes


def _keep(block: Block, walk: Walk) -> Sound:
    """Return a block's object as it reads back, verified; write it where it is not there."""
    slot = archive.slot_of(block)
    good = archive.sound(slot, block, walk) if slot else None
    if good is not None:
        return good
    if walk.place.sequence >= block.first:
        raise NotArchived(f"{block} is gone or was changed, and part of it is no longer in the table.")
    items = list(
        concatenated.from_iterable(reading.pages(block.chain, after=block.first - 1, until=block.last))
    )
    # What somebody else put there stays, as the older version, and is passed over by who reads
    bucket.put(block.key, archive.as_lines(items), media_type=archive.MEDIA_TYPE, over=slot is not None)
    slot = archive.slot_of(block)
    good = archive.sound(slot, block, walk) if slot else None
    if good is None:
        raise NotArchived(f"{block} does not read back as it was written.")
    return good


def _slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield as many entries as one transaction takes."""
    taken: list[Item] = []
    size = 0
    for item in items:
        length = len(json.dumps(item))
        if taken and (len(taken) == SLICE or size + length > SLICE_BYTES):
            yield taken
            taken, size = [], 0
        taken.append(item)
        size += length
    if taken:
        yield taken


def _remove(
    block: Block, items: Sequence[Item], before: Archived, *, is_noted: bool, actor: Actor
) -> Archived:
    """Remove entries that the archive holds, and note how far it goes; all of it, and its entry, or nothing.

    Raises:
        NotArchived: the table has others than the archive, or somebody else archives this chain.
    """
    first, last = (int(items[place]["sequence"]["N"]) for place in (0, -1))
    other = NotArchived(f"{block}: the table has others than the archive, or another process is at it.")
    end = as_told(items[-1])
    after = replace(before, through=last, hash=end["hash"]["S"], timestamp=end["timestamp"]["S"])
    row = ArchiveTable.of(after)
    try:
        with transaction(actor) as tx:
            if is_noted:
                tx.replace(row)
            else:
                tx.put(row)
            for item in items:
                entry = EntryTable(block.chain, int(item["sequence"]["N"]))
                tx.delete(entry, condition=EntryTable.hash == item["hash"]["S"], otherwise=other)
            tx.audit(AuditEvent.ARCHIVED, chain=block.chain, first=first, last=last, object=block.key)
    except Conflict:
        raise other from None
    return row.record()


@dataclass(frozen=True, slots=True)
class Held:
    """What lies in the archive and no longer in the table: how many entries, up to when, and where."""

    entries: int
    until: datetime
    bucket: str
    prefix: str


def held() -> Held | None:
    """Return what the archive holds that lists no longer show; None where nothing was, or AUDIT_ARCHIVE_DAYS is 0.

    It takes a Query, which the lists of a platform that archives nothing are spared.
    """
    rows = store.archived() if settings.AUDIT_ARCHIVE_DAYS else []
    if not rows:
        return None
    until = clock.from_text(max(row.timestamp for row in rows))
    return Held(sum(row.through for row in rows), until, settings.CHECKPOINTS_BUCKET, archive.PREFIX)
