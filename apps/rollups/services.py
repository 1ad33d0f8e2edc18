"""Figures and charts from the rollups, for the console and for quotas.

figure(ENCRYPTIONS)                                  of the last 24 hours, and of the 24 before
chart(QBER, period=Period.HOUR, hours=24, link="a")  24 points; ``mean`` is the hour's mean error rate
verdicts(hours=24)                                   how many of each word
usage(ENCRYPTIONS, actor="service:…", days=30)       of one caller

Each is a Query or two, however much there is.
"""

from datetime import datetime, timedelta

from apps.common import clock
from apps.metrics.catalog import VERDICTS, Metric
from apps.rollups import store
from apps.rollups.counting import series_name
from apps.rollups.records import Figure, Period, Point

WORDS = ("clean", "anomalous", "compromised")


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


def figure(metric: Metric, *, hours: int = 24, **dimensions: str) -> Figure:
    """The sum over the last hours, and over as many before, by whole hours: the one under way belongs to the last."""
    both = chart(metric, period=Period.HOUR, hours=2 * hours, **dimensions)
    return Figure(
        total=sum(point.total for point in both[hours:]), before=sum(point.total for point in both[:hours])
    )


def verdicts(*, hours: int = 24) -> dict[str, Figure]:
    """How many sessions were judged to be what."""
    return {word: figure(VERDICTS, hours=hours, verdict=word) for word in WORDS}


def usage(metric: Metric, *, actor: str, days: int = 30) -> float:
    """What a caller has used of something in the last days, today among them."""
    return sum(point.total for point in chart(metric, period=Period.DAY, hours=24 * days, actor=actor))
