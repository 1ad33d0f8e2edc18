"""Sessions, verdicts and usage as a data lake reads them: JSON lines by table and day, made from the trail, never from live tables.

    analytics/<table>/day=<date>/<chain>-<first>-<last>.jsonl

At least once: a process that dies before its place moves leaves a file whose entries come again, perhaps together with
more, in another. So no row is lost, and each has the id of its entry, by which the views of docs/analytics.md count it once.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from apps.audit.records import Entry, Outcome
from apps.common import clock
from apps.exports import bucket
from apps.following import places
from apps.following.records import Move

LINES = "application/x-ndjson"
# Of each table: the entries that are rows of it, and which of their details are columns beside those of every row
TABLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "verdicts": (
        ("session.ready", "session.aborted", "session.studied", "session.compromised"),
        ("link", "verdict", "qber", "bits", "keys", "reasons"),
    ),
    "usage": (
        (
            "file.encrypted",
            "file.replaced",
            "file.read",
            "message.encrypted",
            "message.read",
            "data_key.made",
        ),
        ("owner", "size", "messages", "version"),
    ),
    "sessions": (
        ("session.generated", "session.received"),
        ("link", "key_length", "final_key_length", "estimated_qber", "reason_code", "keys"),
    ),
    "cases": (("case.opened", "case.acknowledged", "case.closed"), ("case_id", "link", "severity")),
}
_TABLE_OF = {event: (table, columns) for table, (events, columns) in TABLES.items() for event in events}


def row(entry: Entry) -> tuple[str, dict[str, Any]] | None:
    """The table of an entry and its row there; None of what is no row of any."""
    found = _TABLE_OF.get(entry.event)
    if found is None or entry.outcome is not Outcome.OK:
        return None
    table, columns = found
    told = {name: entry.detail[name] for name in columns if name in entry.detail}
    return table, {
        "entry": f"{entry.chain}-{entry.sequence}",
        "time": clock.as_text(entry.timestamp),
        "event": entry.event,
        "actor": entry.actor,
        "session_id": entry.session_id,
        "file_id": entry.file_id,
        "key_id": entry.key_id,
        **told,
    }


def take(entries: Sequence[Entry], moves: Sequence[Move]) -> None:
    """Write the rows of some entries, then move on."""
    parts = {move.chain: f"{move.chain}-{move.before + 1:012d}-{move.after:012d}" for move in moves}
    files: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        found = row(entry)
        if found is not None:
            table, columns = found
            day = f"{entry.timestamp:%Y-%m-%d}"
            key = f"analytics/{table}/day={day}/{parts[entry.chain]}.jsonl"
            files[key].append(json.dumps(columns, separators=(",", ":"), sort_keys=True) + "\n")
    for key, lines in files.items():
        bucket.put(key, "".join(lines).encode(), media_type=LINES)
    places.move(moves)


_EVERY = ("entry", "time", "event", "actor", "session_id", "file_id", "key_id")
_TYPES = {
    **dict.fromkeys(
        ("bits", "keys", "size", "messages", "version", "key_length", "final_key_length"), "bigint"
    ),
    **dict.fromkeys(("qber", "estimated_qber"), "double"),
    "reasons": "array<string>",
}


def _columns(table: str) -> list[tuple[str, str]]:
    return [(name, _TYPES.get(name, "string")) for name in (*_EVERY, *TABLES[table][1])]


# Athena works the days out, so that none needs to be added
_PARAMETERS = {
    "projection.enabled": "true",
    "projection.day.type": "date",
    "projection.day.format": "yyyy-MM-dd",
    "projection.day.range": "2026-01-01,NOW",
}


def _view(table: str) -> str:
    return f"CREATE OR REPLACE VIEW qkd_{table} AS SELECT DISTINCT * FROM qkd_{table}_rows"  # noqa: S608  # nosec B608


def as_documents() -> list[dict[str, Any]]:
    """The tables, as Glue is told of them by the stack of analytics."""
    return [
        {"name": table, "columns": _columns(table), "parameters": _PARAMETERS, "view": _view(table)}
        for table in TABLES
    ]


def _statement(table: str) -> str:
    """Athena's statements of a table and of the view that has each row once: shown, not run."""
    columns = ",\n".join(f"  `{name}` {kind}" for name, kind in _columns(table))
    parameters = [f"'{name}' = '{value}'" for name, value in _PARAMETERS.items()]
    return (
        f"CREATE EXTERNAL TABLE qkd_{table}_rows (\n{columns}\n)\nPARTITIONED BY (day string)\n"  # nosec B608
        "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\n"
        f"LOCATION 's3://<EXPORTS_BUCKET>/analytics/{table}/'\n"
        f"TBLPROPERTIES ({', '.join(parameters[:2])},\n  {', '.join(parameters[2:])});\n"
        f"{_view(table)};\n"
    )


def page() -> str:
    """Write the page of the tables."""
    tables = "".join(
        f"\n## {table}\n\nRows: {', '.join(f'`{event}`' for event in events)}.\n\n```sql\n{_statement(table)}```\n"
        for table, (events, _) in TABLES.items()
    )
    return (
        "# Analytics\n\n"
        "With `ANALYTICS_EXPORT`, sessions, verdicts, usage and cases are JSON lines in `analytics/` of `EXPORTS_BUCKET`, by"
        " table and day. They are made from the trail as it is followed: no live table is read. A row may be in two files,"
        " where a process died; the views have it once. Whose use a row is says `owner`, else `actor`: the platform encrypts what was uploaded. On AWS, `analytics = true`"
        " in `infra/stages.toml` makes the tables, a workgroup of Athena and saved queries that make the views; `quicksight_principal_arn`"
        " makes a data source of QuickSight, which reads the views. Made from"
        " `apps/exports/analytics.py` by `manage.py pages`; a test compares.\n"
        f"{tables}"
    )
