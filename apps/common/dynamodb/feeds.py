"""Lists: feeds of an index, and their pages.

A *feed* is the partition of an index that a list is read from: ``"<name>#<shard>"``, ordered by
``sort`` (``"<time>#<id>"``). One shard (the default) makes one Query a page. Where a partition would be
too hot for that (about 1,000 writes a second), ``FEED_SHARDS`` spreads it, and a page merges one Query
per shard. A cursor is the sort key where the page ended, so it does not depend on the shards.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from heapq import merge
from itertools import islice
from typing import Any, Generic, TypeVar
from zlib import crc32

from django.conf import settings
from pynamodb.attributes import Attribute
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from apps.common import clock
from apps.common.authenticated import RecordForged
from apps.common.dynamodb.tables import Table

log = logging.getLogger(__name__)
RecordT = TypeVar("RecordT")
READ_TOGETHER = 100  # what one BatchGetItem takes


@dataclass(frozen=True, slots=True)
class Page(Generic[RecordT]):
    """A page of a list, newest first; ``older`` and ``newer`` are the sort keys to go on from."""

    records: list[RecordT]
    older: str | None = None
    newer: str | None = None
    left_out: tuple[
        str, ...
    ] = ()  # rows that are not authentic, or not of this list; who decides by it heeds them


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page starts: just below (older than) or just above (newer than) a sort key."""

    sort: str
    older: bool = True


BEGINNING = Position("0", older=False)  # sorts before the place of every row, which begins with its time


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment on, until before another; None where it is open."""

    since: datetime | None = None
    until: datetime | None = None


def _bounds(
    span: Span | None, position: Position | None, *, ascending: bool
) -> tuple[str | None, str | None]:
    """Between which sort keys a page lies. A time alone is no row's sort key, so that it bounds without being one."""
    low = clock.as_text(span.since) if span and span.since else None
    high = clock.as_text(span.until) if span and span.until else None
    if position is not None:
        at = position.sort
        low, high = (max(at, low or at), high) if ascending else (low, min(at, high or at))
    return low, high


def _between(low: str | None, high: str | None) -> Condition | None:
    if low is not None and high is not None:
        return Table.sort.between(low, high)
    if low is not None:
        return Table.sort > low
    return None if high is None else Table.sort < high


def sort_key(moment: datetime, identifier: str) -> str:
    """A place in a list: by time, then by id, so that no two rows share it."""
    return f"{clock.as_text(moment)}#{identifier}"


def feed(name: str, identifier: str) -> str:
    """Return the partition that lists a row."""
    return f"{name}#{crc32(identifier.encode()) % settings.FEED_SHARDS}"


def partitions(name: str) -> list[str]:
    """Return every partition of a feed."""
    return [f"{name}#{shard}" for shard in range(settings.FEED_SHARDS)]


def page(
    index: GlobalSecondaryIndex[Any],
    name: str,
    *,
    limit: int,
    position: Position | None = None,
    decides: bool = False,
    span: "Span | None" = None,
) -> Page[Any]:
    """Read one page of a feed, newest first, by one Query for each shard (I6); of a span of time, only what lies in it.

    Of an index that holds keys only, the rows come from the table, by one BatchGetItem for 100 of them. What has left
    the list meanwhile is not on the page, which may be empty then though there are older ones. Where something
    ``decides`` by the page, they are read consistently, at twice the price.
    """
    ascending = position is not None and not position.older
    low, high = _bounds(span, position, ascending=ascending)
    if low is not None and high is not None and low > high:
        return Page([])
    streams: list[Iterator[Any]] = [
        # One more than is asked for, and the row that a range begins or ends with
        iter(index.query(part, _between(low, high), scan_index_forward=ascending, limit=limit + 2))
        for part in partitions(name)
    ]
    merged = merge(*streams, key=lambda row: row.sort, reverse=not ascending)
    begin = None if position is None else position.sort
    rows = list(islice((row for row in merged if row.sort != begin), limit + 1))
    more, rows = len(rows) > limit, rows[:limit]
    if ascending:
        rows.reverse()
    if not rows:
        return Page([])
    has_older, has_newer = (True, more) if ascending else (more, position is not None)
    records, left_out = _belonging(list(whole(index, rows, consistent=decides)), partition_key(index), name)
    return Page(
        records,
        older=rows[-1].sort if has_older else None,
        newer=rows[0].sort if has_newer else None,
        left_out=left_out,
    )


def count(index: GlobalSecondaryIndex[Any], name: str, *, limit: int) -> int:
    """Count the entries of a feed, up to a limit.

    PynamoDB's own count goes on beyond its limit, which it takes for the size of a page.
    """
    table: Any = index._model  # noqa: SLF001 - what PynamoDB queries by
    found = 0
    for partition in partitions(name):
        behind = None
        while found < limit:
            answer = table._get_connection().query(  # noqa: SLF001
                partition,
                index_name=index.Meta.index_name,
                exclusive_start_key=behind,
                limit=limit - found,
                select="COUNT",
            )
            found += int(answer["Count"])
            behind = answer.get("LastEvaluatedKey")
            if behind is None:
                break
    return found


def whole(
    index: GlobalSecondaryIndex[Any], entries: Iterable[Any], *, consistent: bool = True
) -> Iterator[Any]:
    """Yield the rows behind the entries of an index: themselves, or from the table where it holds keys only.

    A projection that leaves out fields which the tag covers could not be checked, so there is nothing in between (I10).
    An entry whose row is gone, or in another list by now, gives none.
    """
    if not isinstance(index.Meta.projection, KeysOnlyProjection):
        yield from entries
        return
    table: Any = index._model  # noqa: SLF001 - what PynamoDB queries by
    partition = partition_key(index)
    remaining = iter(entries)
    while listed := list(islice(remaining, READ_TOGETHER)):
        rows = table.batch_get([entry.whole_key for entry in listed], consistent_read=consistent)
        found = {row.whole_key: row for row in rows}
        for entry in listed:
            row = found.get(entry.whole_key)
            if row is not None and getattr(row, partition) == getattr(entry, partition):
                yield row


def authentic(rows: Iterable["Table[RecordT]"]) -> Iterator[RecordT]:
    """Yield the records of rows, without those that somebody else wrote: one of them must not stop a sweep."""
    for row in rows:
        with suppress(RecordForged):  # logged there, with the row's name
            yield row.record()


def partition_key(index: GlobalSecondaryIndex[Any]) -> str:
    """Return the attribute that partitions an index."""
    attribute: Attribute[Any] = index._hash_key_attribute()  # type: ignore[no-untyped-call] # noqa: SLF001
    return attribute.attr_name


def _belonging(rows: list[Any], partition: str, name: str) -> tuple[list[Any], tuple[str, ...]]:
    """The records of the rows that belong in a list, and the names of the others, which were forged or moved here."""
    records: list[Any] = []
    left_out: list[str] = []
    for row in rows:
        try:
            record = row.record()
        except RecordForged:  # logged there
            left_out.append(row.row_name)
            continue
        if row.is_tagged() and partition in misplaced(row, record):
            log.error("the row %s does not belong in the list %s", row.row_name, name)
            left_out.append(row.row_name)
        else:
            records.append(record)
    return records, tuple(left_out)


def misplaced(row: Table[RecordT], record: RecordT) -> list[str]:
    """Return the index keys of a row that are others than its record gives: the lists that it was moved in or hidden from."""
    return sorted(
        key for key, derived in row.index_keys(record).items() if _differs(key, getattr(row, key), derived)
    )


def _differs(key: str, stored: Any, derived: Any) -> bool:
    if key.endswith("feed") and stored and derived:
        name, _, shard = str(stored).rpartition("#")
        # The shard follows from the FEED_SHARDS of its time: any that lists are read from will do
        return name != str(derived).rpartition("#")[0] or shard not in shards()
    return bool(stored != derived)


def shards() -> frozenset[str]:
    """Return the numbers of all partitions that a feed is read from."""
    return _shards(settings.FEED_SHARDS)


@cache
def _shards(count: int) -> frozenset[str]:
    return frozenset(map(str, range(count)))


def pages(page_at: Callable[[Position | None], Page[RecordT]]) -> Iterator[Page[RecordT]]:
    """Yield every page of a list that is not empty, newest first, whatever changes meanwhile."""
    position: Position | None = None
    while True:
        found = page_at(position)
        if found.records or found.left_out:
            yield found
        if found.older is None:
            return
        position = Position(found.older)
