"""Archived entries by time: for a report, which lists alone would leave short of what lies in the archive."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from apps.audit import archive, store
from apps.audit.archive import Block
from apps.audit.chain_keys import KeyRing, ring
from apps.audit.places import as_told
from apps.audit.records import Entry
from apps.audit.store import EntryTable
from apps.audit.walking import Item
from apps.common import clock
from apps.common.errors import Unavailable


class ArchiveUnsound(Unavailable):
    """An archived block is gone, or is not what the platform wrote; ``verify_audit`` says what is wrong with it."""


def through() -> dict[str, int]:
    """Up to which number each chain is archived, of those that are."""
    return {row.chain: int(row.through) for row in store.archived()}


def entries_between(since: datetime, until: datetime, *, below: Mapping[str, int]) -> Iterator[Entry]:
    """Yield archived entries from one time until before another, each chain's in its order.

    In a chain no entry is older than the one before it, so its first block of the time is found by halving.

    Args:
        since: of the first.
        until: behind the last.
        below: by chain, the number from which on they are known already.

    Raises:
        ArchiveUnsound: a block does not hold what it should.
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    keys = ring()
    for row in store.archived():
        if clock.from_text(row.timestamp) < since:
            continue
        chain, end = row.chain, min(int(row.through), below.get(row.chain, row.through + 1) - 1)
        last = Block(chain, (end - 1) // archive.BLOCK + 1).number
        for number in range(_first_block(chain, last, since, keys), last + 1):
            items = _items(Block(chain, number), keys)
            if _time(items[0]) >= until:
                break
            for item in items:
                if since <= _time(item) < until and int(item["sequence"]["N"]) <= end:
                    yield EntryTable.from_raw_data(dict(item)).record()


def _first_block(chain: str, last: int, since: datetime, keys: KeyRing) -> int:
    """Return the number of the first block that ends at a time or later; one behind the last where none does."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        if _time(_last_of(Block(chain, middle), keys)) < since:
            low = middle + 1
        else:
            high = middle
    return low


def _last_of(block: Block, keys: KeyRing) -> Item:
    """Read a block's last entry; the others are not checked."""
    for items in _versions(block):
        if archive.is_sound(items[-1:], block, block.last, keys):
            return items[-1]
    raise _unsound(block)


def _items(block: Block, keys: KeyRing) -> list[Item]:
    """Read a block's entries, of the oldest version that is all the platform's."""
    for items in _versions(block):
        if archive.is_sound(items, block, block.first, keys):
            return items
    raise _unsound(block)


def _versions(block: Block) -> Iterator[list[Item]]:
    slot = archive.slot_of(block)
    for version in slot.versions if slot else ():
        yield archive.read(slot, version) if slot else []


def _unsound(block: Block) -> ArchiveUnsound:
    return ArchiveUnsound(f"{block} of chain {block.chain} is not what was archived. Verify the trail.")


def _time(item: Item) -> datetime:
    return clock.from_text(str(as_told(item)["timestamp"]["S"]))
