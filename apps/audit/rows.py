"""Rows held against the trail: what a table writer set back, removed, moved in a list or made up (I10).

A row's tag says that the platform once wrote it so. Which tag is its newest says the trail: every transaction
names the new tags of the rows that it wrote. A row that carries an older one was set back.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.audit.records import Entry
from apps.audit.tagging import GONE
from apps.common.authenticated import revision_of
from apps.common.dynamodb import Table, all_tables


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that is not as the trail says."""

    row: str
    what: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.what}"


def newest_tags(entries: Iterable[Entry]) -> dict[str, str]:
    """The newest tag of every row that the entries name; a tombstone where it was removed."""
    newest: dict[str, str] = {}
    for entry in entries:
        for row, tag in entry.rows.items():
            if _revision(tag) > _revision(newest.get(row, "")):
                newest[row] = tag
    return newest


def row_problems(newest: Mapping[str, str]) -> Iterator[RowProblem]:
    """Read every tagged table whole, and yield what does not agree with the newest tags.

    Rows written while this runs are newer than the tags that were collected before; they have to be authentic.
    """
    seen: set[str] = set()
    for table in all_tables():
        if table.is_tagged():
            for row in table.scan(consistent_read=True):
                seen.add(row.row_name)
                what = _wrong(row, newest.get(row.row_name, ""))
                if what:
                    yield RowProblem(row.row_name, what)
    expiring = tuple(f"{table.short_name()}/" for table in all_tables() if table.expires)
    for name, tag in newest.items():
        if name not in seen and not _is_gone(tag) and not name.startswith(expiring):
            yield RowProblem(name, "it is gone, and no entry says so")


def _wrong(row: Table[Any], newest: str) -> str:
    tag = row.tag or ""
    if not row.is_authentic():
        return "its content is not what the platform wrote"
    if not newest:
        return "no entry says that it was made"
    if revision_of(tag) < _revision(newest):
        return "it is gone, says the trail" if _is_gone(newest) else "it was set back to an earlier state"
    if revision_of(tag) == _revision(newest) and tag != newest:
        return "it is not the one that the trail names"
    moved = sorted(name for name, value in row.index_keys(row.record()).items() if _differs(row, name, value))
    return f"it was moved in or hidden from lists ({', '.join(moved)})" if moved else ""


def _differs(row: Table[Any], name: str, derived: Any) -> bool:
    """Return whether an index key is another than the record gives; any shard of a feed will do."""
    stored = getattr(row, name)
    if name.endswith("feed") and stored and derived:
        return str(stored).rpartition("#")[0] != str(derived).rpartition("#")[0]
    return bool(stored != derived)


def _is_gone(tag: str) -> bool:
    return tag.startswith(f"{GONE}.")


def _revision(tag: str) -> int:
    return int(tag.partition(".")[2]) if _is_gone(tag) else revision_of(tag)
