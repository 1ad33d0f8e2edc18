"""The lists of all indexes, kept beside the snapshot of the tables: to make them, a start would parse every item.

A line each, with a checksum as in the journal: a table, the values that order its rows, and the rows of each partition by
their number in the snapshot. It is only ever a shortcut: what is missing, damaged, or of another snapshot is made from
the items.
"""

import base64
import os
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

from ministack.services import dynamodb

from apps.stack.embedded.journal import Entry, as_line, read_line
from apps.stack.embedded.ordered import BASE, Places, order_of, schemas_of

FILE = "dynamodb.lists"
_MEMBERS = dynamodb._INDEX_MEMBERS  # noqa: SLF001
_END = ["end"]


def write(directory: Path, token: str) -> None:
    """Keep the lists of all tables as they are now, for the snapshot that has this token.

    Raises:
        OSError: the disk is full or fails.
    """
    temporary = directory / f"{FILE}.tmp"
    try:
        with temporary.open("wb") as file:
            file.write(as_line([token]))
            for place, table in dynamodb._tables.all_items():  # noqa: SLF001
                file.writelines(map(as_line, _lines(place, table)))
            file.write(as_line(_END))
        temporary.replace(directory / FILE)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read(directory: Path, token: str) -> int:
    """Give the tables just read from a snapshot their lists, if these are the snapshot's own and whole.

    Returns:
        how many tables have theirs.
    """
    try:
        with (directory / FILE).open("rb") as file:
            made = _read((read_line(line.removesuffix(b"\n")) for line in file), token)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return 0
    for table, members in made:
        table[_MEMBERS] = members
    return len(made)


def _lines(place: tuple[str, ...], table: dict[str, Any]) -> Iterator[Entry]:
    """What is kept of a table; nothing where its lists are not made, or of a kind that is none of the platform's."""
    indexes, members = schemas_of(table), table.get(_MEMBERS)
    if members is None or any(len(hashes) > 1 or len(ranges) > 1 for _, hashes, ranges in indexes):
        return
    numbers = {keys: number for number, keys in enumerate(_keys(table))}
    values: dict[str, list[str | None]] = {}
    for name, _, ranges in indexes:
        for attribute in ranges:
            column = values.setdefault(attribute, [None] * len(numbers))
            kind = dict(order_of(table, ranges))[attribute]
            for (value, *_), pk, sk in chain.from_iterable(each.in_order for each in members[name].values()):
                column[numbers[pk, sk]] = _as_text(value, kind)
    yield ["table", *place, len(numbers), [list(index) for index in indexes]]
    yield from (["values", attribute, column] for attribute, column in values.items())
    for name, _, _ in indexes:
        rows = {key: [numbers[pk, sk] for _, pk, sk in each.in_order] for key, each in members[name].items()}
        yield ["rows", name, rows]


def _read(lines: Iterator[Entry | None], token: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each table with its lists.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: they are damaged, or of something else.
    """
    made: list[tuple[dict[str, Any], dict[str, Any]]] = []
    if next(lines, None) != [token]:
        raise ValueError(FILE)
    rows = _Numbered({}, 0)
    for line in lines:
        match line:
            case ["table", str(account), str(region), str(name), int(count), list(indexes)]:
                table = dynamodb._tables.get_scoped(account, region, name)  # noqa: SLF001
                if [list(index) for index in schemas_of(table)] != indexes:
                    raise ValueError(name)
                rows = _Numbered(table, count)
                made.append((table, rows.members))
            case ["values", str(attribute), list(values)]:
                rows.values[attribute] = values
            case ["rows", str(name), dict(partitions)]:
                rows.add(name, partitions)
            case ["end"]:
                return made
            case _:
                break
    raise ValueError(FILE)


class _Numbered:
    """The rows of a table by their number, and its lists as they come."""

    def __init__(self, table: dict[str, Any], count: int) -> None:
        self._table = table
        self._keys = list(_keys(table)) if table else []
        if len(self._keys) != count:
            raise ValueError(count)
        self.values: dict[str, list[str | None]] = {}
        self.members: dict[str, dict[str, Places]] = {BASE: {}}
        self._entries: dict[tuple[str, ...], list[Any]] = {}  # indexes that are ordered alike share them

    def add(self, index: str, partitions: dict[str, list[int]]) -> None:
        (ranges,) = [ranges for name, _, ranges in schemas_of(self._table) if name == index]
        key = tuple(ranges)
        if key not in self._entries:
            self._entries[key] = self._ordered(ranges)
        entry = self._entries[key].__getitem__
        self.members[index] = {
            partition: Places.in_this_order(list(map(entry, numbers)))
            for partition, numbers in partitions.items()
        }

    def _ordered(self, ranges: list[str]) -> list[Any]:
        """Every row with what orders it, as the lists have them."""
        pks, sks = [pk for pk, _ in self._keys], [sk for _, sk in self._keys]
        own = {self._table["pk_name"]: pks, self._table.get("sk_name"): sks}
        columns = [
            _from_texts(self.values[name] if name in ranges else own[name], kind)
            for name, kind in order_of(self._table, ranges)
        ]
        return list(zip(zip(*columns, strict=True), pks, sks, strict=True))


def _keys(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys of every row, in the order in which a snapshot has them."""
    return ((pk, sk) for pk, rows in table["items"].items() for sk in rows)


def _as_text(value: Any, kind: str) -> str:
    return base64.b64encode(value).decode() if kind == "B" else str(value)


def _from_texts(column: list[Any], kind: str) -> list[Any]:
    """What orders rows, of its texts; a row that is in no such list has none."""
    if kind == "S":
        return column
    read = base64.b64decode if kind == "B" else Decimal
    return [text if text is None else read(text) for text in column]


def new_token() -> str:
    """What ties lists to their snapshot."""
    return os.urandom(16).hex()
