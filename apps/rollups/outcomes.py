"""What became of sessions, by link: of all links in one partition, so that a chart of them all is a Query or two.

The name of a row's bucket goes on with the outcome and the link; its number counts sessions, its total adds up their
error rates in percent.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.audit.records import Entry
from apps.common import clock
from apps.metrics.derived import session_outcome
from apps.rollups import store
from apps.rollups.records import Period

log = logging.getLogger(__name__)
SERIES = "Sessions"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Sessions of one bucket that ended alike over one link."""

    at: datetime  # where the bucket begins
    outcome: str  # as a session's status is named
    link: str
    count: int
    total: float  # of error rates, in percent

    @property
    def mean(self) -> float:
        """The mean error rate, in percent."""
        return self.total / self.count


def of(entry: Entry) -> Iterator[tuple[str, float]]:
    """Yield how the row is named that an entry counts in, behind its bucket and part, and the error rate that it adds."""
    found = session_outcome(entry.event, entry.outcome, entry.detail)
    if found is not None:
        yield f"#{found.status}#{found.link}", found.qber


def since(moment: datetime, *, period: Period, link: str | None = None) -> list[Outcomes]:
    """What became of sessions since the bucket that a moment is in, over all links or one; the oldest first."""
    until = period.start_of(clock.now()) + period.length
    sums: dict[tuple[datetime, str, str], tuple[int, float]] = {}
    for row in store.rows(SERIES, period, period.start_of(moment), until):
        key = _read(str(row.bucket))
        if key is not None and link in {None, key[2]}:
            count, total = sums.get(key, (0, 0.0))
            sums[key] = count + int(row.number), total + float(row.total)
    return [Outcomes(*key, count, total) for key, (count, total) in sorted(sums.items()) if count > 0]


def _read(name: str) -> tuple[datetime, str, str] | None:
    """Bucket, outcome and link that a row is named by; None where somebody else named it."""
    try:
        begins, _, outcome, link = name.split("#", 3)
        return datetime.strptime(begins, store.BUCKET).replace(tzinfo=UTC), outcome, link
    except ValueError as error:
        log.error("the row %s of %s is not a rollup (%s)", name, SERIES, error)  # noqa: TRY400 - no fault of this code
        return None
