"""Rows held against the trail: what a table writer set back, removed, moved in a list or made up (I10).

A row's tag says that the platform once wrote it so. Which tag is its newest says the trail: every transaction
names the new tags of the rows that it wrote. A row that carries an older one was set back.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pynamodb.exceptions import DoesNotExist

from apps.audit.records import Entry
from apps.audit.tagging import GONE
from apps.common.authenticated import revision_of
from apps.common.dynamodb import Table, all_tables, misplaced

ROWS_A_TICK = 500
Suspect = tuple[Table[Any] | None, str]


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
    fresh: dict[str, str] | None = None  # those that came since they were last kept, where they are kept

    def add(self, rows: Mapping[str, str]) -> None:
        """Take the tags into account that an entry names, in whatever order."""
        for row, tag in rows.items():
            if _revision(tag) > _revision(self.of.get(row, "")):
                self.of[row] = tag
                if self.fresh is not None:
                    self.fresh[row] = tag


def newest_tags(entries: Iterable[Entry]) -> NewestTags:
    """Collect the newest tags from entries."""
    newest = NewestTags()
    for entry in entries:
        newest.add(entry.rows)
    return newest


@dataclass(slots=True)
class RowCheck:
    """Every row held against the trail, table by table; may be gone on with after each.

    Args:
        newest: what the trail said before this began.
        done: the tables that were read.
        count: rows in them.
        problems: what does not agree with the newest tags.
    """

    newest: NewestTags
    done: list[str] = field(default_factory=list)
    count: int = 0
    problems: list[RowProblem] = field(default_factory=list)

    def go(
        self, *, catch_up: Callable[[], None], tick: Callable[[], None], after_table: Callable[[], None]
    ) -> None:
        """Read every tagged table that is left, whole.

        Args:
            catch_up: adds what the trail said since, so that rows written meanwhile are not suspected.
            tick: called every so many rows.
            after_table: called after each table.
        """
        named: dict[str, list[str]] = {}
        for name in self.newest.of:
            named.setdefault(name.partition("/")[0], []).append(name)
        for table in all_tables():
            short = table.short_name()
            names = named.pop(short, [])
            if table.is_tagged() and short not in self.done:
                # Rows that a time to live removes leave no entry: that they are gone proves nothing
                self._settle(list(self._suspects(table, [] if table.expires else names, tick)), catch_up)
                self.done.append(short)
                after_table()
        self._settle([(None, name) for names in named.values() for name in names], catch_up)

    def _suspects(
        self, table: type[Table[Any]], named: Iterable[str], tick: Callable[[], None]
    ) -> Iterator[Suspect]:
        seen: set[str] = set()
        for row in table.scan(consistent_read=True):
            seen.add(row.row_name)
            if len(seen) % ROWS_A_TICK == 0:
                tick()
            if _wrong(row, self.newest.of.get(row.row_name, "")):
                yield row, row.row_name
        self.count += len(seen)
        for name in named:
            if name not in seen and not _is_gone(self.newest.of[name]):
                yield None, name

    def _settle(self, suspects: list[Suspect], catch_up: Callable[[], None]) -> None:
        suspects = [(row, name) for row, name in suspects if row or not _is_gone(self.newest.of[name])]
        if suspects:
            catch_up()
        found = (_look_again(row, name, self.newest) for row, name in suspects)
        self.problems += [problem for problem in found if problem]


def _look_again(row: Table[Any] | None, name: str, newest: NewestTags) -> RowProblem | None:
    """Read a suspect row again, now that the trail is as new as the row was."""
    tag = newest.of.get(name, "")
    if row is not None:
        row = _read_again(row)
    if row is None:
        return None if _is_gone(tag) else RowProblem(name, "it is gone, and no entry says so")
    what = _wrong(row, tag)
    return RowProblem(name, what) if what else None


def _read_again(row: Table[Any]) -> Table[Any] | None:
    try:
        return row.get(row.key, row.range_key, consistent_read=True)
    except DoesNotExist:
        return None


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
    return revision_of(f"{tag}.") if _is_gone(tag) else revision_of(tag)
