"""Queries that read a page, not the partition: ministack sorts a whole partition for each of them.

In the place of ministack's own index members stands, for each partition of an index, the list of its keys in order. A
Query runs over the items that its page can hold, and over no others; what it answers stays ministack's.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ministack.services import dynamodb

BASE = "\0table"  # beside the names of the indexes, which have no such byte
PAGE_BYTES = 2**20
_BOUNDS = {"LT": (None, "<"), "LE": (None, "<="), "GT": (">", None), "GE": (">=", None), "EQ": (">=", "<=")}
_MIRRORED = {"LT": "GT", "LE": "GE", "GT": "LT", "GE": "LE", "EQ": "EQ"}

Item = dict[str, Any]
Place = tuple[Any, ...]  # what orders an item in its partition
Entry = tuple[Place, str, str]  # with its keys


class Places:
    """The keys of one partition: put into order when somebody asks for it."""

    __slots__ = ("_entries", "_is_sorted")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: list[Entry] = list(entries)
        self._is_sorted = not self._entries

    @classmethod
    def in_this_order(cls, entries: list[Entry]) -> "Places":
        """Entries that are in order already."""
        made = cls()
        made._entries = entries
        return made

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((pk, sk) for _, pk, sk in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def in_order(self) -> list[Entry]:
        """Every entry, the lowest first."""
        if not self._is_sorted:
            self._entries.sort()
            self._is_sorted = True
        return self._entries

    def add(self, entry: Entry) -> None:
        """Take an entry in."""
        if self._is_sorted:
            insort(self._entries, entry)
        else:
            self._entries.append(entry)

    def remove(self, entry: Entry) -> bool:
        """Take an entry out; return whether it was there."""
        entries = self.in_order
        at = bisect_left(entries, entry)
        if at == len(entries) or entries[at] != entry:
            return False
        del entries[at]
        return True


class OrderedQueries:
    """Hooks into ministack's Query and into what keeps its indexes."""

    def install(self) -> None:
        """Put the hooks in place, before ministack serves."""
        self._query, self._scan = dynamodb._query, dynamodb._scan  # noqa: SLF001
        dynamodb._query, dynamodb._scan = self.query, self.scan  # noqa: SLF001
        dynamodb._index_item = self.index_item  # noqa: SLF001
        dynamodb._index_members = self.members  # noqa: SLF001

    @staticmethod
    def members(table: dict[str, Any]) -> dict[str, dict[Any, Places]]:
        """The partitions of a table's indexes, made where they are asked for the first time."""
        made: dict[str, dict[Any, Places]] | None = table.get(dynamodb._INDEX_MEMBERS)  # noqa: SLF001
        if made is None:
            made = table[dynamodb._INDEX_MEMBERS] = _members(table)  # noqa: SLF001
        return made

    @staticmethod
    def index_item(table: dict[str, Any], pk: str, sk: str, item: Item, add: bool) -> None:
        """Add an item to the partitions that it is in, or take it from them."""
        members = table.get(dynamodb._INDEX_MEMBERS)  # noqa: SLF001
        if members is None:
            return
        made: dict[tuple[str, ...], Entry] = {}
        for name, hashes, ranges in [(BASE, [], _schema(table, BASE)[1]), *schemas_of(table)]:
            partitions = members.get(name)
            partition = pk if name == BASE else dynamodb._index_partition(item, hashes, ranges)  # noqa: SLF001
            if partition is None or (name == BASE and partition not in partitions):
                continue
            if partitions is None:  # an index that came later
                del table[dynamodb._INDEX_MEMBERS]  # noqa: SLF001
                return
            entry = made.get(tuple(ranges)) or (_place(item, order_of(table, ranges)), pk, sk)
            made[tuple(ranges)] = entry
            if add:
                partitions.setdefault(partition, Places()).add(entry)
                continue
            if not partitions[partition].remove(entry):  # whoever needs the lists next makes them again
                del table[dynamodb._INDEX_MEMBERS]  # noqa: SLF001
                return
            if not partitions[partition]:
                del partitions[partition]

    def query(self, data: dict[str, Any]) -> Any:
        """Answer a Query over the items that its page can hold."""
        table = _table(data)
        return _within(self._window(table, data) if table else None, self._query, data)

    def scan(self, data: dict[str, Any]) -> Any:
        """Answer a Scan of a table over the items that its page can hold."""
        table = _table(data)
        whole = table is not None and not data.get("IndexName") and data.get("TotalSegments") is None
        return _within(_scanned(table, data) if table and whole else None, self._scan, data)

    def _window(self, table: dict[str, Any], data: dict[str, Any]) -> dict[str, Any] | None:
        """The table with the items of one page only; None where ministack has to look at the whole partition."""
        index, condition = data.get("IndexName"), data.get("KeyConditionExpression")
        if not condition or data.get("KeyConditions") or (index and not dynamodb._index_def(table, index)):  # noqa: SLF001
            return None
        hashes, ranges = _schema(table, index or BASE)
        values, names = (
            data.get("ExpressionAttributeValues") or {},
            data.get("ExpressionAttributeNames") or {},
        )
        if len(hashes) != 1 or len(ranges) != 1:
            return None
        partition = dynamodb._extract_pk_from_condition(condition, values, names, hashes[0])  # noqa: SLF001
        bounds = _bounds(condition, values, names, hashes[0], ranges[0])
        if partition is None or bounds is None:
            return None
        entries = self._places(table, index or BASE, partition).in_order
        chosen = _slice(table, ranges, entries, bounds, data)
        return _narrowed(table, index, partition, chosen, data)

    def _places(self, table: dict[str, Any], index: str, partition: Any) -> Places:
        """The keys of a partition; those of the table itself are put into order where that is first asked for."""
        partitions = self.members(table)[index]
        if index == BASE and partition not in partitions:
            (pk_name, sk_name), kinds = (table["pk_name"], table["sk_name"]), dynamodb._get_attr_type  # noqa: SLF001
            order = order_of(table, [sk_name])
            keys = (
                (sk, {pk_name: {kinds(table, pk_name): partition}, sk_name: {kinds(table, sk_name): sk}})
                for sk in table["items"].get(partition, ())
            )
            partitions[partition] = Places((_place(item, order), partition, sk) for sk, item in keys)
        return partitions.get(partition) or Places()


def _table(data: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] | None = dynamodb._tables.get(dynamodb._normalize_table_name(data.get("TableName")))  # noqa: SLF001
    return found


def _within(window: dict[str, Any] | None, do: Callable[[dict[str, Any]], Any], data: dict[str, Any]) -> Any:
    """Answer a call with a part of its table in the place of the whole."""
    if window is None:
        return do(data)
    every = dynamodb._tables  # noqa: SLF001
    dynamodb._tables = _Instead(every, window)  # noqa: SLF001
    try:  # nothing suspends within a call
        return do(data)
    finally:
        dynamodb._tables = every  # noqa: SLF001


def _scanned(table: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """The table with the items of the page behind a Scan's start only, in the order in which ministack scans."""
    start, sort_key = data.get("ExclusiveStartKey"), table["sk_name"]
    text = dynamodb._extract_key_val  # noqa: SLF001
    cursor = (
        (text(start.get(table["pk_name"])), text(start.get(sort_key)) if sort_key else "") if start else None
    )
    limit = int(data["Limit"]) if data.get("Limit") else None
    items: dict[str, dict[str, Item]] = {}
    count = size = 0
    for pk in sorted(key for key in table["items"] if cursor is None or key >= cursor[0]):
        rows = table["items"][pk]
        for sk in sorted(rows):
            if cursor is not None and (pk, sk if sort_key else "") <= cursor:
                continue
            item = items.setdefault(pk, {})[sk] = rows[sk]
            count, size = count + 1, size + dynamodb._item_size_bytes(item)  # noqa: SLF001
            if size > PAGE_BYTES or (limit is not None and count >= limit):
                return table | {"items": items}
    return table | {"items": items}


class _Instead:
    """ministack's tables, one of them in another's place."""

    def __init__(self, every: Any, table: dict[str, Any]) -> None:
        self._every, self._table = every, table

    def get(self, name: str, default: Any = None) -> Any:
        return self._table if name == self._table["TableName"] else self._every.get(name, default)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._every, name)


def _schema(table: dict[str, Any], index: str) -> tuple[list[str], list[str]]:
    if index == BASE:
        return [table["pk_name"]], [table["sk_name"]] if table.get("sk_name") else []
    hashes, ranges = dynamodb._index_key_lists(dynamodb._index_def(table, index) or {})  # noqa: SLF001
    return hashes, ranges


def schemas_of(table: dict[str, Any]) -> list[tuple[str, list[str], list[str]]]:
    """Each index with the attributes that partition and order it."""
    return list(dynamodb._index_key_schemas(table))  # noqa: SLF001


def _members(table: dict[str, Any]) -> dict[str, dict[Any, Places]]:
    indexes = [
        (name, hashes, ranges, tuple(ranges), order_of(table, ranges))
        for name, hashes, ranges in schemas_of(table)
    ]
    found: dict[str, dict[Any, list[Entry]]] = {name: {} for name, *_ in indexes}
    for pk, rows in table["items"].items():
        for sk in rows:
            item = rows[sk]  # one by one: a chain of the trail as objects takes as much as all tables packed
            made: dict[tuple[str, ...], Entry] = {}  # indexes that are ordered alike share an entry
            for name, hashes, ranges, key, order in indexes:
                if hashes[0] not in item:  # in most lists of a table an item is not: ask nobody else
                    continue
                partition = dynamodb._index_partition(item, hashes, ranges)  # noqa: SLF001
                if partition is None:
                    continue
                if key not in made:
                    made[key] = (_place(item, order), pk, sk)
                if partition not in found[name]:
                    found[name][partition] = []
                found[name][partition].append(made[key])
    lists = {
        name: {partition: Places(entries) for partition, entries in partitions.items()}
        for name, partitions in found.items()
    }
    return lists | {BASE: {}}


def order_of(table: dict[str, Any], ranges: list[str]) -> list[tuple[str, str]]:
    """The attributes that order a partition, with their types."""
    return list(dynamodb._index_order_keys(table, ranges))  # noqa: SLF001


def _place(item: Item, order: list[tuple[str, str]]) -> Place:
    return tuple(
        item[name]["S"] if kind == "S" and name in item else dynamodb._index_order_value(item, name, kind)  # noqa: SLF001
        for name, kind in order
    )


def _bounds(
    condition: str, values: Item, names: Item, hash_name: str, range_name: str
) -> dict[str, Any] | None:
    """What the condition says of the sort key, as ``{operator: value}``; None where that is not a plain comparison."""
    found: dict[str, Any] = {}
    for clause in dynamodb._key_condition_clauses(_bare(dynamodb._tokenize(condition))):  # noqa: SLF001
        plain = [token for token in clause if token[0] not in {"LPAREN", "RPAREN"}]
        if (between := _between(plain)) is not None:
            name, low, high = between
            if names.get(name, name) != range_name:
                return None
            found |= {">=": values.get(low), "<=": values.get(high)}
            continue
        if len(plain) != 3 or plain[1][0] not in _BOUNDS:
            return None
        first, (operator, _), last = plain
        if first[0] == "VALUE_REF":
            first, operator, last = last, _MIRRORED[operator], first
        name = names.get(first[1], first[1])
        if name == range_name:
            for bound in filter(None, _BOUNDS[operator]):
                found[bound] = values.get(last[1])
        elif name != hash_name:
            return None
    return found


def _between(clause: list[Any]) -> tuple[str, str, str] | None:
    """The attribute of a ``BETWEEN`` with the names of its bounds; None of any other clause."""
    kinds = [kind for kind, _ in clause]
    if len(clause) != 5 or kinds[2::2] != ["VALUE_REF"] * 2 or kinds[1::2] != ["IDENT"] * 2:
        return None
    return (clause[0][1], clause[2][1], clause[4][1]) if clause[1][1].upper() == "BETWEEN" else None


def _bare(tokens: list[Any]) -> list[Any]:
    """A condition without the brackets around all of it, as PynamoDB writes one of two clauses."""
    kinds, depth = [kind for kind, *_ in tokens if kind != "EOF"], 0
    if not kinds or (kinds[0], kinds[-1]) != ("LPAREN", "RPAREN"):
        return tokens
    for place, kind in enumerate(kinds):
        depth += (kind == "LPAREN") - (kind == "RPAREN")
        if not depth and place < len(kinds) - 1:  # the first one closes before the end
            return tokens
    return [*tokens[1 : len(kinds) - 1], *tokens[len(kinds) :]]


def _slice(
    table: dict[str, Any],
    ranges: list[str],
    entries: list[Entry],
    bounds: dict[str, Any],
    data: dict[str, Any],
) -> Iterator[Entry]:
    """The entries that meet the condition and come after the page before, in the order that is asked for."""
    kind = dynamodb._get_attr_type(table, ranges[0])  # noqa: SLF001
    low, high = 0, len(entries)
    for operator, value in bounds.items():
        bound = dynamodb._sort_key_value(value, kind)  # noqa: SLF001
        side = bisect_right if operator in {">", "<="} else bisect_left
        at = side(entries, bound, key=lambda entry: entry[0][0])
        low, high = (max(low, at), high) if operator.startswith(">") else (low, min(high, at))
    forward = data.get("ScanIndexForward", True)
    start = data.get("ExclusiveStartKey")
    if isinstance(start, dict):
        cursor = _place(start, order_of(table, ranges))
        if forward:
            low = max(low, bisect_right(entries, cursor, key=lambda entry: entry[0]))
        else:
            high = min(high, bisect_left(entries, cursor, key=lambda entry: entry[0]))
    step = range(low, high) if forward else range(high - 1, low - 1, -1)
    return (entries[at] for at in step)


def _narrowed(
    table: dict[str, Any], index: str | None, partition: Any, chosen: Iterator[Entry], data: dict[str, Any]
) -> dict[str, Any]:
    """The table with as many of the chosen items as one page takes: its limit, or a megabyte and one item more."""
    limit = int(data["Limit"]) if data.get("Limit") else None
    items: dict[str, dict[str, Item]] = {}
    kept: dict[tuple[str, str], None] = {}
    size = 0
    for _, pk, sk in chosen:
        item = table["items"][pk][sk]
        items.setdefault(pk, {})[sk] = item
        kept[pk, sk] = None
        entry = dynamodb._apply_index_projection(item, table, index) if index else item  # noqa: SLF001
        size += dynamodb._item_size_bytes(entry)  # noqa: SLF001
        if size > PAGE_BYTES or (limit is not None and len(kept) >= limit):
            break
    members = {index: {partition: kept}} if index else {}
    return table | {"items": items, dynamodb._INDEX_MEMBERS: members}  # noqa: SLF001
