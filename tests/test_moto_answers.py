"""The faster answers of the AWS in process are those that moto would give."""

from typing import Any
from unittest import mock

import pytest
from moto.core.serialize import BaseJSONSerializer

from apps.common.aws import client
from tests.moto_answers import whole

ATTRIBUTES: dict[str, Any] = {
    "text": {"S": "text"},
    "empty": {"S": ""},
    "number": {"N": "-1.5"},
    "true": {"BOOL": True},
    "false": {"BOOL": False},
    "bytes": {"B": b"\x00\xff=\n"},
    "nothing": {"NULL": True},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "blobs": {"BS": [b"a", b"\x00"]},
    "map": {"M": {"deep": {"S": "x"}, "deeper": {"M": {"N": {"N": "1"}, "B": {"B": b"\x01"}}}}},
    "list": {"L": [{"S": "x"}, {"N": "2"}, {"L": []}, {"M": {}}, {"BOOL": False}]},
}


@pytest.fixture
def table(aws):
    client("dynamodb").create_table(
        TableName="answers",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("dynamodb").put_item(TableName="answers", Item={"key": {"S": "one"}, **ATTRIBUTES})


def read():
    one = client("dynamodb").get_item(TableName="answers", Key={"key": {"S": "one"}})["Item"]
    every = client("dynamodb").scan(TableName="answers")["Items"]
    many = client("dynamodb").batch_get_item(RequestItems={"answers": {"Keys": [{"key": {"S": "one"}}]}})
    return one, every, many["Responses"]["answers"]


@pytest.mark.usefixtures("table")
def test_attributes_of_every_type_come_back_as_moto_gives_them():
    fast = read()
    with mock.patch.object(BaseJSONSerializer, "_serialize_type_structure", whole):
        assert fast == read()
    assert fast[0] == {"key": {"S": "one"}, **ATTRIBUTES}
