"""Where metrics go: into the log in CloudWatch's embedded format, or into a file that ``/metrics`` reads."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from apps.metrics.catalog import METRICS, NAMESPACE, Kind, Metric
from apps.metrics.series import Series

BUSY_SECONDS = 0.5  # another process writes for milliseconds; what cannot wait is lost
_SUM, _LAST = "sum", "inf"
_BY_NAME = {metric.name: metric for metric in METRICS}
_TABLE = (
    "CREATE TABLE IF NOT EXISTS samples (name TEXT, labels TEXT, part TEXT, value REAL,"
    " PRIMARY KEY (name, labels, part)) WITHOUT ROWID"
)
_ADD = "INSERT INTO samples VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value"
_SET = "INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)"


def send(taken: Iterable[Series]) -> None:
    """Send what was recorded to where METRICS says."""
    if settings.METRICS == "emf":
        print_lines(taken)
    elif settings.METRICS == "openmetrics":
        keep(taken)


def print_lines(taken: Iterable[Series]) -> None:
    """Print a line for each set of dimensions; CloudWatch makes metrics of them, without a call."""
    from aws_lambda_powertools.metrics import EphemeralMetrics  # noqa: PLC0415 - not needed for the first answer

    together: dict[tuple[tuple[str, str], ...], list[Series]] = defaultdict(list)
    for series in taken:
        together[tuple(series.dimensions.items())].append(series)
    for dimensions, group in together.items():
        line = EphemeralMetrics(namespace=NAMESPACE)
        for name, said in dimensions:
            line.add_dimension(name, said)
        for series in group:
            for value in series.values:  # a hundred make a line
                line.add_metric(series.metric.name, series.metric.unit.value, value)
        if line.metric_set:
            line.flush_metrics()


@contextmanager
def _file() -> Iterator[sqlite3.Connection]:
    path = Path(settings.METRICS_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")  # numbers of a crash are no loss
        database.execute(_TABLE)
        yield database


def keep(taken: Iterable[Series]) -> None:
    """Add what was recorded to this machine's file, which all its processes share."""
    with _file() as database:
        database.execute("BEGIN IMMEDIATE")
        for series in taken:
            labels = json.dumps(series.dimensions)
            for part, value in _parts(series):
                statement = _SET if series.metric.kind is Kind.GAUGE else _ADD
                database.execute(statement, (series.metric.name, labels, part, value))
        database.execute("COMMIT")


def _parts(series: Series) -> Iterator[tuple[str, float]]:
    """The rows of one series: of a distribution, one for each bound that has values, and their sum."""
    if series.metric.kind is not Kind.DISTRIBUTION:
        yield "", series.values[0]
        return
    counts: dict[str, int] = defaultdict(int)
    for value in series.values:
        bound = next((str(bound) for bound in series.metric.buckets if value <= bound), _LAST)
        counts[bound] += 1
    yield from counts.items()
    yield _SUM, sum(series.values)


@dataclass(frozen=True, slots=True)
class Kept:
    """One series as it was kept: its value, or the values' counts up to each bound, and their sum."""

    metric: Metric
    dimensions: Mapping[str, str]
    value: float
    counts: tuple[
        int, ...
    ] = ()  # of a distribution, for each bound of its buckets and for none, not added up


def kept() -> list[Kept]:
    """Read all that was kept, in the order of the catalog; what another release kept is left out."""
    with _file() as database:
        rows = database.execute("SELECT name, labels, part, value FROM samples").fetchall()
    parts: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for name, labels, part, value in rows:
        parts[name, labels][part] = value
    found = [
        _whole(_BY_NAME[name], labels, parts[name, labels]) for name, labels in parts if name in _BY_NAME
    ]
    order = {metric.name: place for place, metric in enumerate(METRICS)}
    known = [one for one in found if one.dimensions.keys() == set(one.metric.dimensions)]
    return sorted(known, key=lambda one: (order[one.metric.name], tuple(one.dimensions.values())))


def _whole(metric: Metric, labels: str, parts: Mapping[str, float]) -> Kept:
    if metric.kind is not Kind.DISTRIBUTION:
        return Kept(metric, json.loads(labels), parts.get("", 0.0))
    bounds = [*(str(bound) for bound in metric.buckets), _LAST]
    counts = tuple(int(parts.get(bound, 0)) for bound in bounds)
    return Kept(metric, json.loads(labels), parts.get(_SUM, 0.0), counts)
