"""Rows held against the trail: what a table writer set back, removed, moved in a list or made up (I10).

A row's tag says that the platform once wrote it so. Which tag is its newest says the trail: every transaction
names the new tags of the rows that it wrote. A row that carries an older one was set back.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pynamodb.exceptions import DoesNotExist

from apps.audit.records import Entry
from apps.audit.tagging import GONE
from apps.common.authenticated import revision_of
from apps.common.dynamodb import Table, all_tables, misplaced


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that is not as the trail says."""

    row: str
    what: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.what}"


@dataclass(slots=True)
class NewestTags:
    """The newest tag of every row that the entries name; a tombstone where it was removed."""

    of: dict[str, str] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take an entry into account, in whatever order."""
        for row, tag in entry.rows.items():
            if _revision(tag) > _revision(self.of.get(row, "")):
                self.of[row] = tag


def newest_tags(entries: Iterable[Entry]) -> NewestTags:
    """Collect the newest tags from entries."""
    newest = NewestTags()
    for entry in entries:
        newest.add(entry)
    return newest


def verify_rows(newest: NewestTags, *, catch_up: Callable[[], None]) -> tuple[int, list[RowProblem]]:
    """Read every tagged table whole; return how many rows there are, and what does not agree with the newest tags.

    Args:
        newest: what the trail said before this began.
        catch_up: adds what it said since, so that rows written meanwhile are not suspected.
    """
    seen: set[str] = set()
    suspects = list(_suspects(newest, seen))
    if suspects:
        catch_up()
    again = [problem for row, name in suspects if (problem := _look_again(row, name, newest))]
    return len(seen), again


def _suspects(newest: NewestTags, seen: set[str]) -> Iterator[tuple[Table[Any] | None, str]]:
    tables = all_tables()
    for table in tables:
        if table.is_tagged():
            for row in table.scan(consistent_read=True):
                seen.add(row.row_name)
                if _wrong(row, newest.of.get(row.row_name, "")):
                    yield row, row.row_name
    # Rows that a time to live removes leave no entry: that they are gone proves nothing
    expiring = tuple(f"{table.short_name()}/" for table in tables if table.expires)
    for name, tag in newest.of.items():
        if name not in seen and not _is_gone(tag) and not name.startswith(expiring):
            yield None, name


def _look_again(row: Table[Any] | None, name: str, newest: NewestTags) -> RowProblem | None:
    """Read a suspect row again, now that the trail is as new as the row was."""
    tag = newest.of.get(name, "")
    if row is not None:
        try:
            row.refresh(consistent_read=True)
        except DoesNotExist:
            row = None
    if row is None:
        return None if _is_gone(tag) else RowProblem(name, "it is gone, and no entry says so")
    what = _wrong(row, tag)
    return RowProblem(name, what) if what else None


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
    moved = misplaced(row, row.record())
    return f"it was moved in or hidden from lists ({', '.join(moved)})" if moved else ""


def _is_gone(tag: str) -> bool:
    return tag.startswith(f"{GONE}.")


def _revision(tag: str) -> int:
    return int(tag.partition(".")[2]) if _is_gone(tag) else revision_of(tag)
