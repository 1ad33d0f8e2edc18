"""The archive: blocks of old entries, beside the checkpoints that cover them, in the bucket with object lock.

    archive/<chain>/<block>.jsonl    entries 1,000·(block - 1) + 1 to 1,000·block of a chain

Each line is an entry as the table stored it, in DynamoDB's JSON, so that it is verified by the same rules. Key and
content follow from the chain alone: whoever archives a block again writes the same. ``archiving`` writes and removes.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain as concatenated

from apps.audit import bucket, reading
from apps.audit.bucket import Slot
from apps.audit.chain_keys import KeyRing
from apps.audit.stored import Checked, check
from apps.audit.walking import Item, Walk

BLOCK = 1000  # entries of an object, about 1 MB. Never changed: keys follow from it
PREFIX = "archive/"
MAX_BYTES = 64 * 2**20  # of an object: sixty times the usual
MEDIA_TYPE = "application/jsonl"


@dataclass(frozen=True, slots=True)
class Block:
    """The place of a block: of a chain, from 1."""

    chain: str
    number: int

    @property
    def first(self) -> int:
        """The number of its first entry."""
        return (self.number - 1) * BLOCK + 1

    @property
    def last(self) -> int:
        """The number of its last entry."""
        return self.number * BLOCK

    @property
    def key(self) -> str:
        """The key of its object; in their order keys are in that of the numbers."""
        return f"{PREFIX}{self.chain}/{self.number:09d}.jsonl"

    def __str__(self) -> str:
        return f"archived block {self.number} (entries {self.first} to {self.last})"


def blocks(chain: str) -> Iterator[tuple[Block | None, Slot]]:
    """Yield what the archive holds of a chain, in its order; None for a key that is none of a block.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    for slot in bucket.keys(f"{PREFIX}{chain}/"):
        text = slot.key.rpartition("/")[2].removesuffix(".jsonl")
        block = Block(chain, int(text)) if text.isascii() and text.isdecimal() else None
        yield (block if block and block.number and block.key == slot.key else None), slot


def is_any() -> bool:
    """Return whether anything was archived, of any chain.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    return bucket.is_any(prefix=PREFIX)


def slot_of(block: Block) -> Slot | None:
    """Return the versions of a block's object; None where there is none."""
    return next((slot for slot in bucket.keys(block.key) if slot.key == block.key), None)


def as_lines(items: Sequence[Item]) -> bytes:
    """Return the content of an object."""
    lines = (json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for item in items)
    return "".join(f"{line}\n" for line in lines).encode()


def read(slot: Slot, version: str) -> list[Item]:
    """Read one version of a block: its entries, or none where it is nothing of the platform's.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    return parsed(bucket.read(slot, version, limit=MAX_BYTES + 1))


def parsed(content: bytes) -> list[Item]:
    """Return the entries of an object's content, or none where it is nothing of the platform's."""
    if len(content) > MAX_BYTES:
        return []
    try:
        items: list[Item] = [json.loads(line) for line in content.split(b"\n") if line]
        return items if all(map(_is_stored, items)) else []
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _is_stored(item: Item) -> bool:
    """Return whether DynamoDB could have stored an entry so: texts and numbers, which is all that an entry holds.

    What checks entries relies on that, and DynamoDB sees to it in the table; here anything may stand.
    """
    for typed in item.values():
        [(kind, value)] = typed.items()
        if kind not in {"S", "N"} or not isinstance(value, str):
            return False
        value.encode()  # half a surrogate pair is no text
    return "N" in item["sequence"]


@dataclass(frozen=True, slots=True)
class Sound:
    """What a version of a block says after a place, verified: its entries as stored and checked, and a walk behind them."""

    items: list[Item]
    checked: list[Checked]
    walk: Walk


def sound(slot: Slot, block: Block, before: Walk) -> Sound | None:
    """Return the oldest version of a block that goes on from where a walk is; None where none does."""
    for version in slot.versions:
        checked: list[Checked] = []
        after = before.place.sequence
        items = [item for item in read(slot, version) if _number(item) > after]
        trial = Walk(block.chain, before.place, before.keys, demand=before.demand, seen=checked.append)
        trial.take(items)
        if items and trial.place.sequence == block.last and not trial.problems:
            return Sound(items, checked, trial)
    return None


def is_sound(items: Sequence[Item], block: Block, first: int, keys: KeyRing) -> bool:
    """Return whether these are the block's entries from a number to its end, each as the platform wrote it."""
    if [_number(item) for item in items] != list(range(first, block.last + 1)):
        return False
    return all(item.get("chain") == {"S": block.chain} and not check(item, keys).wrong for item in items)


def walk_blocks(walk: Walk) -> Iterator[None]:
    """Have a walk take what is archived of its chain, block by block; what is wrong with the archive it names.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    found = list(blocks(walk.chain))
    left_over = _LeftOver(walk, until=max((block.last for block, _ in found if block), default=0))
    for block, slot in found:
        if block is None:
            walk.name(
                walk.place.sequence + 1,
                f"the archive has the key {slot.key[:80]!r}, which is none of a block",
            )
        elif block.last > walk.place.sequence:
            _take_block(walk, block, slot, left_over)
            yield


def _take_block(walk: Walk, block: Block, slot: Slot, left_over: "_LeftOver") -> None:
    for what in _wrong_with(slot):
        walk.name(block.first, f"{block}: {what}")
    good = sound(slot, block, walk)
    if good is None:
        walk.name(block.first, f"{block}: the platform did not write what is there, or it does not follow")
        # What the table still has of it counts; else the places are named that are wrong in what there is
        kept = list(
            concatenated.from_iterable(reading.pages(walk.chain, after=walk.place.sequence, until=block.last))
        )
        walk.take(kept or [item for version in slot.versions[:1] for item in read(slot, version)])
        return
    left_over.compare(good.checked)
    walk.place = good.walk.place
    walk.entries += good.walk.entries
    if walk.seen:
        for one in good.checked:
            walk.seen(one)


def _wrong_with(slot: Slot) -> Iterator[str]:
    if slot.is_hidden:
        yield "a delete marker hides it"
    if len(slot.versions) > 1:
        yield f"it was written {len(slot.versions)} times; the oldest that fits counts"


def _number(item: Item) -> int:
    text = item["sequence"]["N"]
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else 0


class _LeftOver:
    """Entries that the table still has of what is archived: none, but for a removal that was interrupted.

    They have to be the archived ones, as lists show them.
    """

    def __init__(self, walk: Walk, *, until: int) -> None:
        self._walk, self._keys = walk, walk.keys
        after = walk.place.sequence
        pages = reading.pages(walk.chain, after=after, until=until) if until > after else iter([])
        self._items = concatenated.from_iterable(pages)
        self._next = next(self._items, None)

    def compare(self, archived: Sequence[Checked]) -> None:
        """Compare what the table has of these entries with them."""
        for one in archived:
            while self._next is not None and _number(self._next) <= (one.sequence or 0):
                found = check(self._next, self._keys)
                if found.wrong or found.hash != one.hash:
                    self._walk.name(one.sequence or 0, "the table has another than the archive")
                self._next = next(self._items, None)


def find(chain: str, sequence: int, keys: KeyRing) -> Item | None:
    """Return an archived entry as it was stored; None where there is none that the platform wrote.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    slot = slot_of(Block(chain, (sequence - 1) // BLOCK + 1)) if sequence > 0 else None
    for version in slot.versions if slot else ():
        for item in read(slot, version) if slot else ():
            found = check(item, keys) if _number(item) == sequence else None
            if found and not found.wrong and item.get("chain") == {"S": chain}:
                return item
    return None
