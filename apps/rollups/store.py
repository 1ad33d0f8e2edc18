"""The table of rollups."""

import logging
from collections.abc import Iterator
from datetime import datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DeleteError
from pynamodb.transactions import TransactWrite

from apps.common.dynamodb import Table, meta
from apps.common.transient import code_of
from apps.rollups.records import Period, Rollup

log = logging.getLogger(__name__)
BUCKET = "%Y-%m-%dT%H:%M"


class RollupTable(Table[Rollup]):
    Meta = meta("rollups")
    record_type = Rollup
    undeciding = (
        "Sums of what the trail says, for charts and quotas, which limit a budget and give no right. They are added to "
        "without being read, so that a tag would cost a read and a conflict each."
    )
    expires = True

    series = UnicodeAttribute(hash_key=True)
    bucket = UnicodeAttribute(range_key=True)
    number = NumberAttribute(default=0)
    total = NumberAttribute(default=0)
    ttl = NumberAttribute(null=True)


def key_of(series: str, period: Period, start: datetime) -> str:
    """The partition of a series' buckets about a time."""
    return f"{series}|{period}|{period.span_of(start)}"


def add(write: TransactWrite, row: Rollup) -> None:
    """Add to a row's sums in a transaction; where there is no such row, this makes it."""
    write.update(
        RollupTable(row.series, row.bucket),
        [
            RollupTable.number.add(row.number),
            RollupTable.total.add(row.total),
            RollupTable.ttl.set(row.ttl),
        ],
    )


def remove_spoiled(row: Rollup) -> bool:
    """Remove a row whose sums are no numbers: nothing can be added to them; return whether it was one."""
    is_spoiled = [
        one.exists() & ~one.is_type()  # type: ignore[no-untyped-call] # PynamoDB's
        for one in (RollupTable.number, RollupTable.total)
    ]
    found = RollupTable(row.series, row.bucket)
    try:
        found.delete(condition=is_spoiled[0] | is_spoiled[1])
    except DeleteError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise
        return False
    log.error("the row %s was no rollup and is begun again", found.row_name)
    return True


def rows(series: str, period: Period, since: datetime, until: datetime) -> Iterator[RollupTable]:
    """Yield the parts of the buckets of a series from one time until before another: a Query for each partition.

    What somebody spoiled is left out: a figure must not stop who looks at it, nor a quota everybody whom it limits.
    """
    partitions: dict[str, None] = {}
    at = period.start_of(since)
    while at < until:
        partitions[key_of(series, period, at)] = None
        at += period.length
    # Up to the first bucket that has not begun: the names of parts come behind the time that their bucket begins
    first, last = since.strftime(BUCKET), at.strftime(BUCKET)
    for partition in partitions:
        for row in RollupTable.query(partition, RollupTable.bucket.between(first, last)):
            if row.malformed:
                log.error("the row %s is not a rollup (%s)", row.row_name, row.malformed)
            else:
                yield row
