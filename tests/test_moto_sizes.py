"""The faster limit of the AWS in process on the size of an item refuses what moto would refuse."""

import copy

import pytest
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict

from tests.moto_sizes import LIMIT, fast_sizes


def filled(*sizes: int) -> LimitedSizeDict:
    """An item of attributes of these sizes, with a name of one byte each."""
    return LimitedSizeDict(
        {chr(97 + at): DynamoType({"S": "x" * (size - 1)}) for at, size in enumerate(sizes)}
    )


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("sizes", [(LIMIT,), (LIMIT - 9, 9), (9, LIMIT - 9), (100_000, 300_000, 5_000)])
def test_an_item_is_refused_above_the_limit_and_not_at_it(sizes: tuple[int, ...], over: int):
    *first, last = sizes
    for limit in (fast_sizes, pytest.MonkeyPatch.context):
        with limit():
            item = LimitedSizeDict()
            for at, size in enumerate(first):
                item[chr(97 + at)] = DynamoType({"S": "x" * (size - 1)})
            if over:
                with pytest.raises(ItemSizeTooLarge):
                    item["z"] = DynamoType({"S": "x" * last})
                assert "z" not in item
            else:
                item["z"] = DynamoType({"S": "x" * (last - 1)})
                assert "z" in item


def test_attributes_that_are_replaced_and_copies_add_nothing():
    with fast_sizes():
        item = filled(300_000)
        for _ in range(5):
            item = copy.deepcopy(item)
            item["b"] = DynamoType({"S": "y" * 50_000})
        with pytest.raises(ItemSizeTooLarge):
            item["c"] = DynamoType({"S": "z" * 100_000})
        del item["a"]
        item["c"] = DynamoType({"S": "z" * 300_000})
        with pytest.raises(ItemSizeTooLarge):
            item["d"] = DynamoType({"S": "z" * 100_000})
    assert set(item) == {"b", "c"}
