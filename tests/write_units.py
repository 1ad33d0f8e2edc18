"""What a transaction costs in DynamoDB's write units, by AWS's published rules.

An item's size is its attributes' names and values: text in UTF-8 bytes, a number one byte for two digits and one
more, binary as it is, 1 for a Boolean or null. A transaction costs two units for each KB, begun ones included, of the
larger of an item before and after. An index entry is then written at one unit a KB: not at all if nothing in it
changed, once where it is added, changed or removed, twice where its place changed.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html and GSI.html
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from apps.common.aws import client
from tests.faults import Call, watched

Item = dict[str, dict[str, Any]]


def size(item: Item) -> int:
    """Bytes of an item."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return ceil(len(content.strip("-").replace(".", "")) / 2) + 1
    return len(content) if kind == "B" else 1


def units(item: Item | None) -> int:
    """Units of one standard write of an item or index entry."""
    return ceil(size(item) / 1024) if item else 0


def entry(item: Item | None, index: dict[str, Any], key: list[str]) -> Item | None:
    """What an index holds of an item."""
    keys = [part["AttributeName"] for part in index["KeySchema"]]
    if item is None or not set(keys) <= item.keys():
        return None
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return item
    held = {*keys, *key, *projection.get("NonKeyAttributes", [])}
    return {name: value for name, value in item.items() if name in held}


def index_units(before: Item | None, after: Item | None, index: dict[str, Any], key: list[str]) -> int:
    """Units of keeping one index up to date."""
    old, new = entry(before, index, key), entry(after, index, key)
    if old == new:
        return 0
    places = [[e[part["AttributeName"]] for part in index["KeySchema"]] for e in (old, new) if e]
    if len(places) == 2 and places[0] != places[1]:
        return units(old) + units(new)
    return max(units(old), units(new))


@contextmanager
def counted_units(*, single: bool = False) -> Iterator[Counter[str]]:
    """Write units of the transactions made here: ``<table>`` for its items, ``<table>/<index>`` for entries.

    With ``single``, those of single updates and puts too, which cost half of what they do in a transaction.
    """
    found: Counter[str] = Counter()
    alone = {"UpdateItem": "Update", "PutItem": "Put"} if single else {}

    def around(call: Call, aws: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if operation != "TransactWriteItems" and operation not in alone:
            return call(aws, operation, arguments)
        writes = arguments.get("TransactItems") or [{alone[operation]: arguments}]
        touched = [_place(write) for write in writes]
        before = [_item(*place) for place in touched]
        answer = call(aws, operation, arguments)
        for (table, key), old in zip(touched, before, strict=True):
            new = _item(table, key)
            found[table] += (1 if operation in alone else 2) * max(units(old), units(new), 1)
            about = client("dynamodb").describe_table(TableName=table)["Table"]
            for index in about.get("GlobalSecondaryIndexes", []):
                found[f"{table}/{index['IndexName']}"] += index_units(old, new, dict(index), list(key))
        return answer

    with watched(around):
        yield found


def _place(write: dict[str, Any]) -> tuple[str, Item]:
    ((kind, arguments),) = write.items()
    table = arguments["TableName"]
    if kind != "Put":
        return table, arguments["Key"]
    schema = client("dynamodb").describe_table(TableName=table)["Table"]["KeySchema"]
    return table, {part["AttributeName"]: arguments["Item"][part["AttributeName"]] for part in schema}


def _item(table: str, key: Item) -> Item | None:
    return client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")  # type: ignore[return-value]
