"""The text that Prometheus reads (OpenMetrics 1.0)."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from apps.metrics.catalog import Kind, Metric, Unit
from apps.metrics.sinks import Kept

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_TYPES = {Kind.COUNTER: "counter", Kind.GAUGE: "gauge", Kind.DISTRIBUTION: "histogram"}


def text(found: Iterable[Kept]) -> str:
    """Write series, given in the order of their metrics."""
    lines: list[str] = []
    for metric, series in groupby(found, key=lambda one: one.metric):
        name = metric.open_name
        lines.append(f"# TYPE {name} {_TYPES[metric.kind]}")
        if metric.unit is not Unit.COUNT:
            lines.append(f"# UNIT {name} {metric.unit.lower()}")
        lines.append(f"# HELP {name} {_escaped(metric.meaning)}")
        for one in series:
            lines += _samples(name, one)
    return "".join(f"{line}\n" for line in [*lines, "# EOF"])


def _samples(name: str, one: Kept) -> Iterator[str]:
    if one.metric.kind is Kind.GAUGE:
        yield f"{name}{_labels(one.dimensions)} {_number(one.value)}"
    elif one.metric.kind is Kind.COUNTER:
        yield f"{name}_total{_labels(one.dimensions)} {_number(one.value)}"
    else:
        yield from _histogram(name, one, one.metric)


def _histogram(name: str, one: Kept, metric: Metric) -> Iterator[str]:
    total = 0
    for bound, count in zip([*map(str, metric.buckets), "+Inf"], one.counts, strict=True):
        total += count
        yield f"{name}_bucket{_labels({**one.dimensions, 'le': bound})} {total}"
    yield f"{name}_count{_labels(one.dimensions)} {total}"
    yield f"{name}_sum{_labels(one.dimensions)} {_number(one.value)}"


def _labels(dimensions: Mapping[str, str]) -> str:
    if not dimensions:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in dimensions.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
