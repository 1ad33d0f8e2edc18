"""A start parses no item to know its lists; lists that are missing, damaged or another snapshot's are made again."""

import json
import os
import shutil
import subprocess

import pytest

from apps.stack.configuration import ROOT
from tests import requirement

COUNT = 40


def make_tables(client):
    for name in ("first", "second"):
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "feed", "AttributeType": "S"},
                {"AttributeName": "at", "AttributeType": "N"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_feed",
                    "KeySchema": [
                        {"AttributeName": "feed", "KeyType": "HASH"},
                        {"AttributeName": "at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )


def put(client, *numbers):
    for number in numbers:
        item = {
            "id": {"S": f"{number} ü"},
            "feed": {"S": "ab"[number % 2]},
            "at": {"N": str(-number * 7 % 50)},
        }
        client.put_item(TableName="first", Item=item)


def ids(client):
    question = {
        "TableName": "first",
        "IndexName": "by_feed",
        "KeyConditionExpression": "feed = :a",
        "ExpressionAttributeValues": {":a": {"S": "a"}},
    }
    return [item["id"]["S"] for item in client.query(**question)["Items"]]


def loaded(folder):
    """What a start over a copy of a state has in its lists, and how many items it parsed."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    ended = subprocess.run(
        [ROOT / ".venv-stack/bin/python", ROOT / "tests/stack/lists_script.py"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "STATE_DIR": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(copy)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout)


def damage(path, how):
    whole = path.read_bytes()
    match how:
        case "missing":
            path.unlink()
        case "cut":
            path.write_bytes(whole[:-30])
        case "changed":
            path.write_bytes(whole.replace(b"[0,", b"[1,", 1) if b"[0," in whole else whole[::-1])
        case "empty":
            path.write_bytes(b"")
        case "other":
            path.write_bytes(b"\xff[]\n" * 9)


@requirement("G1", "F1")
def test_a_start_over_its_own_lists_parses_no_item(stack):
    make_tables(stack.client("dynamodb"))
    put(stack.client("dynamodb"), *range(COUNT))
    before = ids(stack.client("dynamodb"))
    stack.stop()
    kept = loaded(stack.state_dir)
    assert kept["parsed"] == 0
    for how in ("changed", "cut", "empty", "other", "missing"):
        whole = (stack.state_dir / "dynamodb.lists").read_bytes()
        damage(stack.state_dir / "dynamodb.lists", how)
        assert loaded(stack.state_dir) == kept | {"parsed": COUNT}, how
        (stack.state_dir / "dynamodb.lists").write_bytes(whole)
    stack.start()
    assert ids(stack.client("dynamodb")) == before
    assert len(before) == COUNT / 2


@requirement("G1", "F1")
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_lists_of_an_earlier_snapshot_are_not_taken(stack, end):
    """What was written and removed since is in no kept list, or in a kept list that is no longer true."""
    make_tables(stack.client("dynamodb"))
    put(stack.client("dynamodb"), *range(COUNT))
    stack.stop()
    earlier = (stack.state_dir / "dynamodb.lists").read_bytes()
    stack.start()
    client = stack.client("dynamodb")
    client.delete_item(TableName="first", Key={"id": {"S": "0 ü"}})
    put(client, COUNT + 1, COUNT + 2)
    before = ids(client)
    getattr(stack, end)()
    if end == "stop":
        (stack.state_dir / "dynamodb.lists").write_bytes(earlier)
        assert loaded(stack.state_dir)["parsed"] == COUNT + 1
    stack.start()
    assert ids(stack.client("dynamodb")) == before
    assert "0 ü" not in before
