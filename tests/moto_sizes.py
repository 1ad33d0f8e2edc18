"""moto's limit on the size of an item made fast: with each attribute that is set, it sizes all that are there again.

Here what was added is summed, which is never less than what is there; sized as a whole is only an item whose sum is
above the limit: what is refused is the same (tests/test_moto_sizes.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict
from moto.dynamodb.models.utilities import bytesize

LIMIT = 405_000  # moto's
whole = LimitedSizeDict.__setitem__


@contextmanager
def fast_sizes() -> Iterator[None]:
    """As long as the block lasts."""
    with mock.patch.object(LimitedSizeDict, "__setitem__", _set):
        yield


def _set(item: Any, key: str, value: Any) -> None:
    known = vars(item).get("added")
    added = (_sum(item) if known is None else known) + bytesize(key) + _size(value)
    if added > LIMIT:
        whole(item, key, value)
        added = _sum(item)
    else:
        dict.__setitem__(item, key, value)
    item.added = added


def _sum(item: Any) -> int:
    return sum(bytesize(name) + _size(value) for name, value in item.items())


def _size(value: Any) -> int:
    size: int = value.size() if type(value) is DynamoType else bytesize(str(value))
    return size
