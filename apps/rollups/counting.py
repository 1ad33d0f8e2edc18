"""Entries of the trail, added up by minute, hour and day; each once (``apps.following``)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from zlib import crc32

from django.conf import settings
from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

from apps.audit.records import Entry
from apps.following import places
from apps.following.records import Move
from apps.metrics.catalog import (
    DECRYPTIONS,
    ENCRYPTED_BYTES,
    ENCRYPTIONS,
    JOBS_QUEUED,
    Metric,
)
from apps.metrics.derived import Sample, samples
from apps.rollups import outcomes, store
from apps.rollups.records import Period, Rollup

MOST_ROWS = 80  # of one transaction, which takes 100 operations; the places are the others
BY_CALLER = (ENCRYPTIONS, ENCRYPTED_BYTES, DECRYPTIONS, JOBS_QUEUED)  # of which quotas ask

_Sums = dict[tuple[str, str, int], list[float]]


def series_name(metric: Metric, **dimensions: str) -> str:
    """Name a series: all of a metric, or what has some of its dimensions."""
    return "|".join([metric.name, *(f"{name}={value}" for name, value in sorted(dimensions.items()))])


def series_of(sample: Sample, actor: str) -> Iterator[tuple[str, tuple[Period, ...]]]:
    """Yield the series that a value counts in, and the periods that each is kept for."""
    every = tuple(Period)
    yield series_name(sample.metric), every
    if sample.dimensions:
        yield series_name(sample.metric, **sample.dimensions), every
    if sample.metric in BY_CALLER and not actor.startswith("system:"):
        yield series_name(sample.metric, actor=actor), (Period.HOUR, Period.DAY)


def take(entries: Sequence[Entry], moves: Sequence[Move]) -> None:
    """Add up entries, and move the places, in one transaction; in several where they touch many series.

    Of the several, all but the last move the places of the entries that they hold.

    Raises:
        PlaceMoved: another process is at the same entries.
    """
    left = {move.chain: move for move in moves}
    sums: _Sums = {}
    ends: dict[str, Move] = {}
    for entry in entries:
        more = _sums_of(entry, moves)
        if len(sums.keys() | more.keys()) > MOST_ROWS:
            _add(sums, list(ends.values()))
            sums, ends = {}, {}
        for key, (count, total) in more.items():
            known = sums.setdefault(key, [0, 0.0])
            known[0] += count
            known[1] += total
        now = left[entry.chain]
        before = ends[entry.chain].before if entry.chain in ends else now.before
        ends[entry.chain] = Move(now.follower, entry.chain, before, int(entry.sequence))
        left[entry.chain] = Move(now.follower, entry.chain, int(entry.sequence), now.after)
    for chain, now in left.items():  # entries that are not authentic stand behind the last that counts
        before = ends[chain].before if chain in ends else now.before
        ends[chain] = Move(now.follower, chain, before, now.after)
    moved = [move for move in ends.values() if move.after > move.before]
    if moved:
        _add(sums, moved)


def _sums_of(entry: Entry, moves: Sequence[Move]) -> _Sums:
    part = crc32(moves[0].chain.encode()) % settings.ROLLUP_PARTS  # of who writes: others take another chain
    found: dict[tuple[str, str, int], list[float]] = defaultdict(lambda: [0, 0.0])
    for sample in samples(entry.event, entry.outcome, entry.detail):
        for name, periods in series_of(sample, _user_of(entry)):
            for period in periods:
                sums = found[_key(name, period, entry.timestamp, part)]
                sums[0] += 1
                sums[1] += sample.value
    for more, rate in outcomes.of(entry):
        for period in Period:
            sums = found[_key(outcomes.SERIES, period, entry.timestamp, part, more)]
            sums[0] += 1
            sums[1] += rate
    return found


def _user_of(entry: Entry) -> str:
    """Whose use an entry is: of what the platform does for somebody, as with an upload that arrived, the owner's."""
    owner = entry.detail.get("owner")
    return owner if isinstance(owner, str) else entry.actor


def _key(name: str, period: Period, moment: datetime, part: int, more: str = "") -> tuple[str, str, int]:
    start = period.start_of(moment)
    ends = int((start + period.kept).timestamp())
    return store.key_of(name, period, start), f"{start.strftime(store.BUCKET)}#{part:02d}{more}", ends


def _add(sums: _Sums, moves: Sequence[Move]) -> None:
    """Add sums and move places in one transaction. Rows that somebody spoiled begin again: else nothing went on.

    Raises:
        PlaceMoved: another process is at the same entries.
    """
    rows = [
        Rollup(series, bucket, int(count), round(total, 6), ttl)
        for (series, bucket, ttl), (count, total) in sums.items()
    ]

    def adding(write: TransactWrite) -> None:
        for row in rows:
            store.add(write, row)

    try:
        places.move(moves, adding)
    except TransactWriteError as error:
        if not places.is_invalid(error) or not [row for row in rows if store.remove_spoiled(row)]:
            raise
        places.move(moves, adding)
