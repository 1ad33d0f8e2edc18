"""Runs in the environment of the embedded AWS: random Queries, answered with and without our lists."""

import asyncio
import json
import os
import random
import sys
from pathlib import Path

from ministack.services import dynamodb

from apps.stack.embedded import lists
from apps.stack.embedded.ordered import OrderedQueries

plain, plain_scan = dynamodb._query, dynamodb._scan
OrderedQueries().install()
windowed, windowed_scan = dynamodb._query, dynamodb._scan
RANDOM = random.Random(int(sys.argv[1]))
INDEXES = [
    {"IndexName": "by_sort", "KeySchema": [("feed", "HASH"), ("sort", "RANGE")], "ProjectionType": "ALL"},
    {
        "IndexName": "by_number",
        "KeySchema": [("feed", "HASH"), ("number", "RANGE")],
        "ProjectionType": "KEYS_ONLY",
    },
    {"IndexName": "by_feed", "KeySchema": [("feed", "HASH")], "ProjectionType": "ALL"},
]


def schema(pairs):
    return [{"AttributeName": name, "KeyType": kind} for name, kind in pairs]


def call(target, body):
    headers = {"x-amz-target": "DynamoDB_20120810." + target}
    answer = asyncio.run(dynamodb.handle_request("POST", "/", headers, json.dumps(body).encode(), {}))
    assert answer[0] == 200, answer
    return answer


def make_table():
    call(
        "CreateTable",
        {
            "TableName": "items",
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": schema([("chain", "HASH"), ("place", "RANGE")]),
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in (
                    ("chain", "S"),
                    ("place", "N"),
                    ("feed", "S"),
                    ("sort", "S"),
                    ("number", "N"),
                )
            ],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": index["IndexName"],
                    "KeySchema": schema(index["KeySchema"]),
                    "Projection": {"ProjectionType": index["ProjectionType"]},
                }
                for index in INDEXES
            ],
        },
    )


def change():
    key = {"chain": {"S": RANDOM.choice("ab")}, "place": {"N": str(RANDOM.randint(-30, 60))}}
    if RANDOM.random() < 0.25:
        call("DeleteItem", {"TableName": "items", "Key": key})
        return
    item = dict(key)
    if RANDOM.random() < 0.9:
        item["feed"] = {"S": RANDOM.choice("xyz")}
    if RANDOM.random() < 0.9:
        item["sort"] = {"S": f"{RANDOM.randint(0, 40):03}"}
    if RANDOM.random() < 0.9:
        item["number"] = {"N": str(RANDOM.randint(-5, 20))}
    item["body"] = {"S": "x" * RANDOM.choice([10, 100, 40_000])}
    call("PutItem", {"TableName": "items", "Item": item})
    if "feed" in item and RANDOM.random() < 0.5:
        values = {":f": {"S": RANDOM.choice("xyz")}}
        update = {"UpdateExpression": "SET feed = :f", "ExpressionAttributeValues": values}
        call("UpdateItem", {"TableName": "items", "Key": key, **update})


def ask():
    index = RANDOM.choice([None, *INDEXES])
    read: dict[str | None, tuple[str, str | None, str]] = {
        None: ("chain", "place", "N"),
        "by_sort": ("feed", "sort", "S"),
        "by_number": ("feed", "number", "N"),
        "by_feed": ("feed", None, "S"),
    }
    hash_name, range_name, kind = read[str(index["IndexName"]) if index else None]
    values = {":h": {"S": RANDOM.choice("abxyz")}}
    condition = "#h = :h"
    names = {"#h": hash_name}
    if range_name and RANDOM.random() < 0.7:
        form = RANDOM.choice(
            [
                "#r < :v",
                "#r <= :v",
                "#r > :v",
                "#r >= :v",
                "#r = :v",
                "#r BETWEEN :v AND :w",
                "(#r > :v)",
                ":v < #r",
            ]
        )
        if kind == "S" and RANDOM.random() < 0.2:
            form = "begins_with(#r, :v)"
        low, high = sorted(RANDOM.randint(0, 40) for _ in range(2))
        text = (lambda n: f"{n:03}") if kind == "S" else str
        values[":v"] = {kind: text(low)}
        if ":w" in form:
            values[":w"] = {kind: text(high)}
        names["#r"] = range_name
        condition = f"{condition} AND {form}"
        if RANDOM.random() < 0.5:  # as PynamoDB writes it
            condition = f"({condition})"
    data = {
        "TableName": "items",
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": RANDOM.random() < 0.5,
    }
    if index:
        data["IndexName"] = index["IndexName"]
    if RANDOM.random() < 0.7:
        data["Limit"] = RANDOM.randint(1, 12)
    if RANDOM.random() < 0.2:
        data["Select"] = "COUNT"
    return data


def pages(query, data):
    found, start = [], None
    while True:
        status, _, body = query(dict(data) | ({"ExclusiveStartKey": start} if start else {}))
        answer = json.loads(body)
        found.append((status, answer))
        start = answer.get("LastEvaluatedKey")
        if not start:
            return found


def keep_and_read_lists():
    """As an end and a start do."""
    folder = Path(os.environ["STATE_DIR"])
    lists.write(folder, "token")
    del dynamodb._tables["items"][dynamodb._INDEX_MEMBERS]
    assert lists.read(folder, "token") == 1


make_table()
for _ in range(60):
    change()
compared = 0
for turn in range(150):
    if turn % 20 == 10:
        keep_and_read_lists()
    for _ in range(4):
        change()
    data = ask()
    expected, actual = pages(plain, data), pages(windowed, data)
    assert expected == actual, (data, expected, actual)
    compared += len(actual)
    every = {"TableName": "items", **({"Limit": RANDOM.randint(1, 12)} if RANDOM.random() < 0.5 else {})}
    expected, actual = pages(plain_scan, every), pages(windowed_scan, every)
    assert expected == actual, (every, expected, actual)
print(compared)  # noqa: T201 - the test reads it
