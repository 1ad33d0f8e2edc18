"""Figures and charts from the rollups, for the console and for quotas.

chart(ENCRYPTIONS, period=Period.HOUR, hours=24)     24 points
usage(ENCRYPTIONS, actor="service:…", days=30)       of one caller

Each is a Query or two, however much there is. What became of sessions is in ``outcomes``.
"""

from datetime import datetime, timedelta

from apps.common import clock
from apps.metrics.catalog import Metric
from apps.rollups import store
from apps.rollups.counting import series_name
from apps.rollups.records import Period, Point


def points(
    metric: Metric, *, period: Period, since: datetime, until: datetime, **dimensions: str
) -> list[Point]:
    """Every bucket of a series between two times, those without a value among them, the oldest first."""
    start = period.start_of(since)
    found: dict[str, list[float]] = {}
    for row in store.rows(series_name(metric, **dimensions), period, start, until):
        sums = found.setdefault(str(row.bucket).partition("#")[0], [0, 0.0])
        sums[0] += int(row.number)
        sums[1] += float(row.total)
    made: list[Point] = []
    while start < until:
        count, total = found.get(start.strftime(store.BUCKET), (0, 0.0))
        made.append(Point(start, int(count), total))
        start += period.length
    return made


def chart(metric: Metric, *, period: Period = Period.HOUR, hours: int = 24, **dimensions: str) -> list[Point]:
    """The buckets of the last hours, the one under way among them."""
    until = period.start_of(clock.now()) + period.length
    since = until - timedelta(hours=hours)
    return points(metric, period=period, since=since, until=until, **dimensions)


def usage(metric: Metric, *, actor: str, days: int = 30) -> float:
    """What a caller has used of something in the last days, today among them."""
    return sum(point.total for point in chart(metric, period=Period.DAY, hours=24 * days, actor=actor))
