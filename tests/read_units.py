"""What reads cost in DynamoDB's read units, by AWS's published rules: half a unit for each 4 KB, or one if consistent.

A page of a Query is rounded as a whole, each item of a BatchGetItem by itself.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from tests.faults import Call, watched
from tests.write_units import size

UNIT_BYTES = 4096


@contextmanager
def counted_read_units() -> Iterator[list[float]]:
    """Read units of each call that is made here."""
    found: list[float] = []

    def around(call: Call, aws: Any, operation: str, arguments: dict[str, Any]) -> Any:
        answer = call(aws, operation, arguments)
        found.append(_units(operation, arguments, answer))
        return answer

    with watched(around):
        yield found


def _units(operation: str, arguments: dict[str, Any], answer: Any) -> float:
    if operation == "GetItem":
        return _rounded([answer.get("Item", {})], consistent=arguments.get("ConsistentRead", False))
    if operation == "Query":
        together = sum(map(size, answer.get("Items", [])))
        return _of(together, consistent=arguments.get("ConsistentRead", False))
    if operation == "BatchGetItem":
        return sum(
            _rounded(answer["Responses"].get(table, []), consistent=asked.get("ConsistentRead", False))
            for table, asked in arguments["RequestItems"].items()
        )
    return 0.0


def _rounded(items: list[Any], *, consistent: bool) -> float:
    return sum(_of(size(item), consistent=consistent) for item in items)


def _of(length: int, *, consistent: bool) -> float:
    return max(1, ceil(length / UNIT_BYTES)) * (1.0 if consistent else 0.5)
