"""The trail, followed: each follower takes every entry once, in the order of its chain.

The stream of the audit table brings entries; each follower's place in a chain is the number of the last one that it
took, and moves in the same transaction as what it does with them. What the stream brings twice is passed over; what it
did not bring (a gap before an entry, a record that was lost) is read from the chain.
"""

import logging
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from apps.audit import services as audit
from apps.audit.records import Entry
from apps.audit.verification import is_authentic
from apps.common import clock
from apps.common.declarations import modules_named
from apps.common.sweeps import each
from apps.following import places, store
from apps.following.records import Follower, Move, PlaceMoved
from apps.metrics.catalog import TRAIL_LAG
from apps.metrics.recording import observe

log = logging.getLogger(__name__)
TOGETHER = 50  # entries of one transaction
READ = 500  # entries of a chain read at a time where the stream left a gap
ATTEMPTS = 12
CATCH_UP_SECONDS = 20.0  # of one follower at a time: a new one has the whole trail before it

Batch = Mapping[str, Sequence[Entry]]


def followers() -> list[Follower]:
    """Every follower that an app declares."""
    declared = [one for module in modules_named("followers") for one in module.FOLLOWERS]
    return [one for one in declared if one.active()]


def deliver(entries: Iterable[Entry]) -> None:
    """Give every follower what the stream brought.

    Raises:
        ExceptionGroup: what failed, once all had their turn; the others' places have moved.
    """
    batch: dict[str, list[Entry]] = {}
    for entry in filter(is_authentic, entries):
        batch.setdefault(entry.chain, []).append(entry)
    failures: list[Exception] = []
    for follower in followers():
        try:
            follow(follower, batch)
        except Exception as error:  # noqa: BLE001 - the others have their turn first, all is raised below
            failures.append(error)
    if failures:
        raise ExceptionGroup("followers of the trail failed", failures)


def catch_up() -> int:
    """Give every follower what it has not taken yet; returns how many entries that were.

    Raises:
        ExceptionGroup: what failed, once all had their turn.
    """
    taken: list[int] = []
    heads = {head.chain: int(head.sequence) for head in audit.heads()}

    def go_on(follower: Follower) -> None:
        known, forged = store.read(follower.name, heads)
        # Where somebody else set the place, nobody knows what is left: it goes on with what the stream brings
        lost = {row.chain for row in forged}
        behind = [chain for chain, end in heads.items() if chain not in lost and known.get(chain, 0) < end]
        until = time.monotonic() + CATCH_UP_SECONDS
        while behind and time.monotonic() < until:
            count = follow(follower, dict.fromkeys(behind, ()))
            taken.append(count)
            if count < READ:  # the rest comes meanwhile, and so by the stream
                return

    each(followers(), go_on)
    return sum(taken)


def follow(follower: Follower, batch: Batch) -> int:
    """Let one follower take the entries of some chains that it has not taken; returns how many.

    Args:
        follower: who takes them.
        batch: entries by chain, in order, as far as they are known; what lies between is read.
    """
    count = 0
    for attempt in range(ATTEMPTS):
        try:
            for part, moves in _parts(follower, batch):
                follower.take(part, moves)
                count += len(part)
                _tell(follower, part)
        except PlaceMoved:
            time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 6)))  # noqa: S311 - spreads retries, no secret
        else:
            return count
    raise PlaceMoved(f"{follower.name} is too busy; the entries come again.")


def _tell(follower: Follower, part: Sequence[Entry]) -> None:
    lag = (clock.now() - part[0].timestamp).total_seconds()
    observe(TRAIL_LAG, max(0.0, lag), follower=follower.name)


def _parts(follower: Follower, batch: Batch) -> Iterator[tuple[list[Entry], list[Move]]]:
    """Yield what the follower has to take, so many entries at a time, with the places that move by them."""
    known = _known_places(follower, batch)
    part: list[Entry] = []
    moves: dict[str, Move] = {}
    for chain, entries in batch.items():
        if chain not in known:
            continue
        for entry in _after(chain, known[chain], entries):
            if len(part) == TOGETHER:
                yield part, list(moves.values())
                part, moves = [], {}
            # Not the number before: what nothing can be made of, and what is archived, is passed over
            before = moves[chain].before if chain in moves else known[chain]
            known[chain] = int(entry.sequence)
            moves[chain] = Move(follower.name, chain, before, known[chain])
            part.append(entry)
    if part:
        yield part, list(moves.values())


def _known_places(follower: Follower, batch: Batch) -> dict[str, int]:
    """How far the follower is. One that begins now takes what is brought now, and nothing from before.

    So does one whose place somebody else set; where nothing is brought, that is left out.
    """
    known, forged = store.read(follower.name, batch)
    for row in forged:
        log.error("the place of %s in chain %s is not the platform's", follower.name, row.chain)
        if batch[row.chain]:
            known[row.chain] = int(batch[row.chain][0].sequence) - 1
            places.begin_again(row, known[row.chain])
    lost = {row.chain for row in forged}
    if not follower.from_start:
        for chain in batch.keys() - known.keys() - lost:
            begin = int(batch[chain][0].sequence) - 1 if batch[chain] else _end_of(chain)
            if begin:
                places.move([Move(follower.name, chain, 0, begin)])
            known[chain] = begin
    return {chain: known.get(chain, 0) for chain in batch if chain in known or chain not in lost}


def _end_of(chain: str) -> int:
    return next((int(head.sequence) for head in audit.heads() if head.chain == chain), 0)


def _after(chain: str, place: int, entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries that follow a place without a gap: those that were brought, else as they stand in the chain."""
    new = sorted((one for one in entries if one.sequence > place), key=lambda one: one.sequence)
    is_whole = new and [one.sequence for one in new] == list(range(place + 1, place + 1 + len(new)))
    if is_whole:
        yield from new
    elif new or not entries:
        yield from _read_after(chain, place)


def _read_after(chain: str, place: float) -> Iterator[Entry]:
    """Some entries of a chain that the platform wrote: none only where none follow.

    A place moves by these alone: else an entry that somebody made up, far ahead, would hide the rest.
    """
    while read := audit.entries_after(chain, place, limit=READ):
        whole = [entry for entry in read if is_authentic(entry)]
        yield from whole
        if whole:
            return
        place = read[-1].sequence  # so many made-up ones in a row: what is behind them counts
