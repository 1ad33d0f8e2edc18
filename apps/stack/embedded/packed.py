"""Items as the text that they came in: as objects of Python 300,000 of them take 3 GB, and a start makes each of them."""

import json
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

Item = dict[str, Any]


class Rows(MutableMapping[str, Item]):
    """The items of one partition by sort key. Each reading makes new objects: what is changed in them is not kept here.

    Most partitions of most tables have one item, which needs no mapping.
    """

    __slots__ = ("_one", "_packed", "_sort")

    def __init__(self) -> None:
        self._packed: dict[str, bytes] | None = None
        self._sort: str | None = None  # of the only one
        self._one = b""

    @classmethod
    def of(cls, items: MutableMapping[str, Item]) -> "Rows":
        """The same items, packed."""
        if isinstance(items, cls):
            return items
        made = cls()
        made.update(items)
        return made

    def __getitem__(self, sort: str) -> Item:
        if sort not in self:
            raise KeyError(sort)
        item: Item = json.loads(self._one if self._packed is None else self._packed[sort])
        return item

    def __setitem__(self, sort: str, item: Item) -> None:
        self.put_packed(sort, json.dumps(item, separators=(",", ":")).encode())

    def __delitem__(self, sort: str) -> None:
        if sort not in self:
            raise KeyError(sort)
        if self._packed is None:
            self._sort, self._one = None, b""
        else:
            del self._packed[sort]

    def __iter__(self) -> Iterator[str]:
        return (sort for sort, _ in self._all())

    def __len__(self) -> int:
        return int(self._sort is not None) if self._packed is None else len(self._packed)

    def __contains__(self, sort: object) -> bool:
        if self._packed is None:
            return sort is not None and sort == self._sort
        return sort in self._packed

    def items(self) -> list[tuple[str, Item]]:  # type: ignore[override] # no view: who removes what is expired looks on beside the calls
        """Every item with its sort key, as they are at this moment."""
        return [(sort, json.loads(packed)) for sort, packed in list(self._all())]

    def values(self) -> list[Item]:  # type: ignore[override] # likewise
        """Every item, as they are at this moment."""
        return [item for _, item in self.items()]

    def as_lines(self, partition: str) -> Iterable[bytes]:
        """Each item in a line: its keys, and its text as it is."""
        start = json.dumps(partition).encode() + b"\t"
        for sort, packed in self._all():
            yield start + json.dumps(sort).encode() + b"\t" + packed + b"\n"

    def put_packed(self, sort: str, packed: bytes) -> None:
        """Keep an item that is packed already."""
        if self._packed is not None:
            self._packed[sort] = packed
        elif self._sort in {None, sort}:
            self._sort, self._one = sys.intern(sort), packed
        else:
            self._packed = {str(self._sort): self._one, sort: packed}
            self._sort, self._one = None, b""

    def _all(self) -> Iterable[tuple[str, bytes]]:
        if self._packed is not None:
            return self._packed.items()
        return () if self._sort is None else ((self._sort, self._one),)
