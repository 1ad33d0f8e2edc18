"""Every table is one that AWS would make; the emulators accept what AWS refuses."""

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
from moto import mock_aws

from apps.common.dynamodb import all_tables
from tests import requirement
from tests.faults import watched

# Not in the service model: Service, account, and table quotas in Amazon DynamoDB, "Secondary indexes per table"
# and "Projected secondary index attributes per table"; ALL and KEYS_ONLY do not count.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
INDEXES = 20
PROJECTED_IN_ALL = 100


@cache
def create_table() -> Any:
    """How AWS describes the call, with the bounds of each member."""
    return botocore.session.get_session().get_service_model("dynamodb").operation_model("CreateTable")


def out_of_bounds(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """What in a request is shorter, longer, less or more than the service model allows."""
    length = (
        value if shape.type_name in {"integer", "long"} else len(value) if hasattr(value, "__len__") else 0
    )
    bounds = shape.metadata
    if not bounds.get("min", 0) <= length <= bounds.get("max", float("inf")):
        yield f"{path}: {length} is not in {bounds}"
    if "enum" in bounds and value not in bounds["enum"]:
        yield f"{path}: {value!r} is not one of {bounds['enum']}"
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from out_of_bounds(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from out_of_bounds(shape.member, member, f"{path}[{number}]")


def refusals(request: dict[str, Any]) -> list[str]:
    """Why AWS would not make a table."""
    found = list(out_of_bounds(create_table().input_shape, request))
    indexes = request.get("GlobalSecondaryIndexes", [])
    if len(indexes) > INDEXES:
        found.append(f"{len(indexes)} indexes, at most {INDEXES}")
    projected = [name for index in indexes for name in index["Projection"].get("NonKeyAttributes", [])]
    if len(projected) > PROJECTED_IN_ALL:
        found.append(f"{len(projected)} projected attributes in all, at most {PROJECTED_IN_ALL}")
    keys = [part["AttributeName"] for one in (request, *indexes) for part in one["KeySchema"]]
    defined = [definition["AttributeName"] for definition in request["AttributeDefinitions"]]
    if set(keys) != set(defined) or len(defined) != len(set(defined)):
        found.append(f"keys {sorted(set(keys))}, but definitions {sorted(defined)}")
    names = [index["IndexName"] for index in indexes]
    return found + [f"index {name} twice" for name in set(names) if names.count(name) > 1]


@cache
def requests() -> dict[str, dict[str, Any]]:
    """What is sent to make each table, by its class."""
    sent: dict[str, dict[str, Any]] = {}

    def around(call: Any, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "CreateTable":
            sent[arguments["TableName"]] = copy.deepcopy(arguments)
        return call(client, operation, arguments)

    with mock_aws(), watched(around):
        for table in all_tables():
            table.create_table(wait=False)
    return {table.__name__: sent[table.Meta.table_name] for table in all_tables()}


@requirement("A7", "G1")
@pytest.mark.parametrize("table", [table.__name__ for table in all_tables()])
def test_aws_would_make_the_table(table):
    assert refusals(requests()[table]) == []


def an_index(name: str, *attributes: str) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": "session_id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(attributes)},
    }


@requirement("A7")
@pytest.mark.parametrize(
    ("indexes", "refusal"),
    [
        ([an_index("one", *(f"a{n}" for n in range(24)))], "24 is not in"),
        ([an_index(f"i{n}", *(f"a{n}" for n in range(20))) for n in range(6)], "120 projected attributes"),
        ([an_index(f"i{n}", "a") for n in range(21)], "21 indexes"),
        ([an_index("i", "a"), an_index("i", "b")], "index i twice"),
        ([an_index("i" * 256, "a")], "256 is not in"),
        ([an_index("one")], "0 is not in"),
    ],
    ids=["24 attributes", "120 in all", "21 indexes", "a name twice", "a long name", "no attribute"],
)
def test_a_table_over_a_limit_is_found(indexes, refusal):
    request = requests()["SessionTable"] | {
        "GlobalSecondaryIndexes": indexes,
        "AttributeDefinitions": [{"AttributeName": "session_id", "AttributeType": "S"}],
    }
    assert any(refusal in found for found in refusals(request)), refusals(request)
