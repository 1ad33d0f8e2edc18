"""A report as files: rows for spreadsheets, lines for programs, and a page that can be printed."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from apps.audit.records import Entry
from apps.common import clock
from apps.common.spreadsheets import cell
from apps.exports import ecs

COLUMNS = (
    "time",
    "event",
    "outcome",
    "actor",
    "source_ip",
    "key_id",
    "session_id",
    "file_id",
    "detail",
    "chain",
    "sequence",
    "hash",
)
BARS = 40  # rows of a chart
STYLE = """
body { font: 11pt/1.4 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; color: #1a1a1a }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem; break-after: avoid }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .15rem .5rem .15rem 0; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums; width: 6rem } tr { break-inside: avoid }
rect { fill: #3b6ea5 } .bad rect { fill: #b23b3b } footer { margin-top: 3rem; color: #555; font-size: 9pt }
"""


def as_csv(entries: Iterable[Entry]) -> bytes:
    """Write entries as rows, packed."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([cell(value) for value in _row(entry)] for entry in entries)
    return gzip.compress(text.getvalue().encode(), mtime=0)  # the same entries are the same bytes


def as_lines(entries: Iterable[Entry]) -> bytes:
    """Write entries as JSON lines in the names of ECS, packed."""
    return gzip.compress("".join(map(ecs.line, entries)).encode(), mtime=0)


def _row(entry: Entry) -> Sequence[Any]:
    return (
        clock.as_text(entry.timestamp),
        entry.event,
        entry.outcome.value,
        entry.actor,
        entry.source_ip or "",
        entry.key_id or "",
        entry.session_id or "",
        entry.file_id or "",
        json.dumps(entry.detail, sort_keys=True),
        entry.chain,
        int(entry.sequence),
        entry.hash,
    )


def as_page(title: str, facts: Mapping[str, str], sections: Sequence[tuple[str, Mapping[str, Any]]]) -> bytes:
    """Write a page that stands alone and prints well: facts, then a chart of each section's counts, or its table."""
    parts = [f"<h1>{escape(title)}</h1>", _table(facts)]
    for heading, content in sections:
        counts = {name: value for name, value in content.items() if isinstance(value, int)}
        shown = _chart(counts) if counts and len(counts) == len(content) else _table(content)
        parts.append(f"<h2>{escape(heading)}</h2>{shown if content else '<p>None.</p>'}")
    body = "\n".join(parts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><body>{body}<footer>The digests of these files stand in the audit trail, in the entry"
        " report.made.</footer></body></html>\n"
    ).encode()


def _table(content: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>"
        for name, value in content.items()
    )
    return f"<table>{rows}</table>"


def _chart(counts: Mapping[str, int]) -> str:
    largest = max(counts.values()) or 1
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{count:,}</td><td><svg width="160" height="10" role="img"'
        f' aria-label="{count}"><rect width="{160 * count / largest:.1f}" height="10"/></svg></td></tr>'
        for name, count in list(counts.items())[:BARS]
    )
    left = len(counts) - BARS
    more = f"<p>{left} more are in summary.json.</p>" if left > 0 else ""
    return f"<table>{rows}</table>{more}"
