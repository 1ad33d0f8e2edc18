"""All chains walked: from their first entries, or from where the newest checkpoint left them."""

from collections.abc import Callable, Iterator

from django.conf import settings

from apps.audit import archive, reading, store
from apps.audit import chain as chains
from apps.audit.chain_keys import ring
from apps.audit.checkpoints import Checkpoint
from apps.audit.records import Head
from apps.audit.stored import Checked
from apps.audit.walking import Demand, Item, Place, Walk, start_of
from apps.common.authenticated import RecordForged

Seen = Callable[[Checked], None]


def walk_all(
    checkpoint: Checkpoint | None,
    *,
    incremental: bool,
    seen: Seen,
    after_page: Callable[[], None] | None = None,
    walks: dict[str, Walk] | None = None,
) -> dict[str, Walk]:
    """Walk every chain that is configured, has a head, or has a place in the newest checkpoint.

    Args:
        checkpoint: what it says of a chain is demanded.
        incremental: go on from there.
        seen: is given every entry.
        after_page: called after each page.
        walks: where each chain's walk is put; those that are there already go on from where they are.
    """
    walks = {} if walks is None else walks
    archived = not incremental and archive.is_any()
    for chain in _names(checkpoint):
        if chain not in walks:
            walks[chain] = walk_of(chain, checkpoint, seen, incremental=incremental)
        walk = walks[chain]
        for _ in () if walk.ended else _walk_pages(walk, archived=archived):
            if after_page:
                after_page()
    return walks


def walk_of(chain: str, checkpoint: Checkpoint | None, seen: Seen, *, incremental: bool) -> Walk:
    """Return the walk of a chain, before its first step."""
    walk = Walk(chain, start_of(chain), ring(), seen=seen)
    end = checkpoint.ends.get(chain) if checkpoint else None
    if end is None:
        return walk
    walk.demand = Demand(end.length, end.hash, str(checkpoint))
    if incremental:
        # The last entry that it covers is read again: it has to be there, and the one that the checkpoint names
        walk.place = Place(end.length - 1, "")
        walk.covered = end.length
    return walk


def _names(checkpoint: Checkpoint | None) -> list[str]:
    named = checkpoint.ends if checkpoint else {}
    return sorted({*chains.names(settings.AUDIT_CHAINS), *store.chains_with_head(), *named})


def _walk_pages(walk: Walk, *, archived: bool) -> Iterator[None]:
    head = _head(walk)
    if archived:
        yield from archive.walk_blocks(walk)
    for page in reading.pages(walk.chain, after=walk.place.sequence):
        _take(walk, page)
        yield
    length = walk.place.sequence
    if head is None or length > head.sequence:
        later = _head(walk)
        # Entries were written meanwhile; those behind what was read are seen next time
        if later is not None and later.sequence > length and chains.is_sealed(later, walk.keys):
            later = None
            walk.grown = True
        head = later
    walk.end(head)


def _take(walk: Walk, page: list[Item]) -> None:
    """Take a page; where entries are missing in it, look first whether they were archived since the walk began."""
    if not page or _follows_whole(page, walk.place.sequence):
        walk.take(page)
        return
    looked = False
    for item in page:
        number = item["sequence"]["N"]
        if not looked and number.isdecimal() and int(number) > walk.place.sequence + 1:
            looked = True
            for _ in archive.walk_blocks(walk):
                pass
        if not (number.isdecimal() and int(number) <= walk.place.sequence):
            walk.take([item])


def _follows_whole(page: list[Item], before: int) -> bool:
    first, last = page[0]["sequence"]["N"], page[-1]["sequence"]["N"]
    return bool(first == str(before + 1) and last == str(before + len(page)))


def _head(walk: Walk) -> Head | None:
    try:
        return store.head(walk.chain)
    except RecordForged:
        walk.name(walk.place.sequence, "the head is malformed")
        return None
