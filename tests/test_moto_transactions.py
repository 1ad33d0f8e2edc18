"""The faster transactions of the AWS in process keep what a failed one must not change."""

from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ClientError

from apps.common.aws import client
from tests.tables import rows

TABLES: dict[str, list[Any]] = {"plain": [], "ranged": [("place", "RANGE")]}


@pytest.fixture
def tables(aws):
    for name, more in TABLES.items():
        keys: list[Any] = [("key", "HASH"), *more]
        client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        for key in ("kept", "changed", "removed"):
            client("dynamodb").put_item(TableName=name, Item=item(key))


def item(key, value="before"):
    return {"key": {"S": key}, "place": {"S": "1"}, "value": {"M": {"deep": {"S": value}}}}


def key_of(table, key):
    return {
        name: value
        for name, value in item(key).items()
        if name == "key" or (table, name) == ("ranged", "place")
    }


def transaction(table, *, works):
    return [
        {"Put": {"TableName": table, "Item": item("new")}},
        {"Put": {"TableName": table, "Item": item("kept", "replaced")}},
        {"Delete": {"TableName": table, "Key": key_of(table, "removed")}},
        {
            "Update": {
                "TableName": table,
                "Key": key_of(table, "changed"),
                "UpdateExpression": "SET #v.deep = :after",
                "ExpressionAttributeNames": {"#v": "value"},
                "ExpressionAttributeValues": {":after": {"S": "after"}},
            }
        },
        {
            "ConditionCheck": {
                "TableName": table,
                "Key": key_of(table, "nobody"),
                "ConditionExpression": f"attribute_{'not_' if works else ''}exists(#k)",
                "ExpressionAttributeNames": {"#k": "key"},
            }
        },
    ]


@pytest.mark.parametrize("table", TABLES)
def test_a_failed_transaction_changes_nothing_wherever_it_fails(tables, table):
    before = rows(table)
    operations = transaction(table, works=False)
    for place in range(len(operations)):
        moved = operations[:-1][:place] + operations[-1:] + operations[:-1][place:]
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            client("dynamodb").transact_write_items(TransactItems=moved)
        assert rows(table) == before


@pytest.mark.parametrize(("table", "twice"), list(product(TABLES, [False, True])))
def test_one_that_succeeds_changes_all_and_one_item_twice_is_refused(tables, table, twice):
    before = rows(table)
    operations = transaction(table, works=True)
    if twice:
        with pytest.raises(ClientError):
            client("dynamodb").transact_write_items(TransactItems=[*operations, operations[0]])
        assert rows(table) == before
        return
    client("dynamodb").transact_write_items(TransactItems=operations)
    values = {row["key"]["S"]: row["value"]["M"]["deep"]["S"] for row in rows(table)}
    assert values == {"new": "before", "kept": "replaced", "changed": "after"}
