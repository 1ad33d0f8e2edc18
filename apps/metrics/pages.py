"""Pages that are made from the catalog: docs/metrics.md, and the dashboard of Grafana."""

import json
from typing import Any

from apps.metrics.catalog import METRICS, NAMESPACE, Kind, Metric, Section, Unit

_LEAD = f"""\
# Metrics

Every number that the platform tells of itself. On Lambda they are lines of the log that CloudWatch makes metrics of
(namespace `{NAMESPACE}`); `infra/` makes the dashboards and alarms of a stage from the same list. Where `make run` runs,
they are at `/metrics` in OpenMetrics, for who holds the scope `metrics:read`; `docs/grafana-dashboard.json` shows them.
What fails on the way costs numbers, and no request. Made from `apps/metrics/catalog.py` by `manage.py pages`; a test
compares.

```yaml
# prometheus.yml, from 2.55 on
scrape_configs:
  - job_name: qkd
    static_configs: [{{ targets: ["127.0.0.1:8000"] }}]
    http_headers:
      X-API-Key: {{ files: [/etc/prometheus/qkd.key] }}
```
"""
_COLUMNS = "| CloudWatch | OpenMetrics | Kind | Unit | Dimensions | Meaning | Alarm |\n| --- | --- | --- | --- | --- | --- | --- |\n"
_SUFFIX = {Kind.COUNTER: "_total", Kind.GAUGE: "", Kind.DISTRIBUTION: "_bucket, _count, _sum"}
_GRAFANA_UNITS = {
    Unit.COUNT: "short",
    Unit.SECONDS: "s",
    Unit.BYTES: "bytes",
    Unit.BITS: "bits",
    Unit.PERCENT: "percent",
}
WIDTH, HEIGHT, COLUMNS = 8, 8, 3  # of a panel, on Grafana's grid of 24


def page() -> str:
    """Write the page of metrics."""
    tables = (f"\n## {section}\n\n{_COLUMNS}" + "".join(map(_row, _of(section))) for section in Section)
    return _LEAD + "".join(tables)


def _of(section: Section) -> list[Metric]:
    return [metric for metric in METRICS if metric.section is section]


def _row(metric: Metric) -> str:
    cells = [
        f"`{metric.name}`",
        f"`{metric.open_name}{_SUFFIX[metric.kind]}`",
        metric.kind.value,
        metric.unit.value,
        ", ".join(f"`{name}`" for name in metric.dimensions) or "none",
        metric.meaning,
        _alarm(metric),
    ]
    return f"| {' | '.join(cells)} |\n"


def _alarm(metric: Metric) -> str:
    alarm = metric.alarm
    if alarm is None:
        return ""
    side = "below" if alarm.below else "from"
    where = f", where {alarm.where}" if alarm.where else ""
    return f"{alarm.about}: {side} {alarm.threshold:g} in {5 * alarm.periods} minutes{where}"


def grafana() -> str:
    """Write a dashboard of Grafana with a panel for each metric."""
    panels: list[dict[str, Any]] = []
    top = 0
    for section in Section:
        panels.append(_heading(section, top))
        for place, metric in enumerate(_of(section)):
            row, column = divmod(place, COLUMNS)
            panels.append(_panel(metric, x=WIDTH * column, y=top + 1 + HEIGHT * row))
        top += 1 + HEIGHT * -(-len(_of(section)) // COLUMNS)
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    board = {
        "title": "Quantum-safe key management",
        "uid": "qkd-platform",
        "schemaVersion": 39,
        "tags": ["qkd"],
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": panels,
    }
    return json.dumps(board, indent=1) + "\n"


def _heading(section: Section, y: int) -> dict[str, Any]:
    grid = {"h": 1, "w": 24, "x": 0, "y": y}
    return {"type": "row", "title": section.value, "collapsed": False, "gridPos": grid, "panels": []}


def _panel(metric: Metric, *, x: int, y: int) -> dict[str, Any]:
    per_second = metric.kind is Kind.COUNTER
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "type": "timeseries",
        "title": f"{metric.name} per second" if per_second else metric.name,
        "description": metric.meaning,
        "datasource": source,
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": _GRAFANA_UNITS[metric.unit]}, "overrides": []},
        "targets": [
            {"refId": letter, "expr": query, "legendFormat": legend, "datasource": source}
            for letter, (query, legend) in zip("ABC", _queries(metric), strict=False)
        ],
    }


def _queries(metric: Metric) -> list[tuple[str, str]]:
    """Queries of Prometheus, each with its legend."""
    by, name = ", ".join(metric.dimensions), metric.open_name
    legend = " ".join(f"{{{{{dimension}}}}}" for dimension in metric.dimensions)
    if metric.kind is Kind.GAUGE:
        return [(name, legend or metric.name)]
    if metric.kind is Kind.COUNTER:
        return [(f"sum by ({by}) (rate({name}_total[5m]))", legend or metric.name)]
    group = f"le, {by}" if by else "le"
    return [
        (
            f"histogram_quantile({share}, sum by ({group}) (rate({name}_bucket[5m])))",
            f"{label} {legend}".strip(),
        )
        for share, label in (("0.5", "half"), ("0.99", "99 %"))
    ]


def as_documents() -> list[dict[str, Any]]:
    """The catalog as plain data, for the stacks of AWS."""
    return [
        {
            "name": metric.name,
            "kind": metric.kind.value,
            "unit": metric.unit.value,
            "dimensions": list(metric.dimensions),
            "meaning": metric.meaning,
            "section": metric.section.value,
            "alarm": metric.alarm
            and {
                "statistic": metric.alarm.statistic,
                "threshold": metric.alarm.threshold,
                "about": metric.alarm.about,
                "where": metric.alarm.where,
                "below": metric.alarm.below,
                "periods": metric.alarm.periods,
            },
        }
        for metric in METRICS
    ]
