"""Whatever the embedded AWS acknowledged is there after ``kill -9`` and a start."""

import hashlib
import os
import subprocess
import threading

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from apps.stack import testing
from apps.stack.configuration import ROOT
from apps.stack.ports import status_of
from tests import requirement
from tests.waiting import wait_for

TABLE = "items"
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:events"


def make_table(stack, **extra):
    stack.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


def add_one(client, token):
    """A change that would show if it were done twice."""
    update = {
        "TableName": TABLE,
        "Key": {"id": {"S": "counter"}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    client.transact_write_items(TransactItems=[{"Update": update}], ClientRequestToken=token)


def items(stack):
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    return {item["id"]["S"]: item for page in pages for item in page["Items"]}


def sequences(stack):
    streams = stack.client("dynamodbstreams")
    arn = streams.list_streams(TableName=TABLE)["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    found = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=found["ShardIterator"])["Records"]
    return [record["dynamodb"]["SequenceNumber"] for record in records]


@requirement("G1")
def test_every_acknowledged_write_survives_a_kill(stack):
    make_table(stack)
    acknowledged = []

    def write(number):
        client = stack.client("dynamodb")
        for turn in range(10_000):
            item = {"id": {"S": f"{number}-{turn}"}, "body": {"S": "x" * 200}}
            try:
                client.put_item(TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(id)")
            except (BotoCoreError, ClientError):
                return
            acknowledged.append(f"{number}-{turn}")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    try:
        wait_for(lambda: len(acknowledged) > 200)
    finally:
        stack.kill()
    for writer in writers:
        writer.join()
    stack.start()
    there = items(stack)
    assert len(acknowledged) > 200
    assert set(acknowledged) <= there.keys()
    assert len(there) <= len(acknowledged) + len(writers)  # at most the writes that were under way


@requirement("G1")
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_state_and_stream_are_the_same_after_every_kind_of_end(stack, end):
    make_table(stack)
    client = stack.client("dynamodb")
    add_one(client, "token-1")
    add_one(client, "token-1")  # answered from memory: not done, and not to be done at the start either
    add_one(client, "token-2")
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        client.put_item(
            TableName=TABLE, Item={"id": {"S": "counter"}}, ConditionExpression="attribute_not_exists(id)"
        )
    before = sequences(stack)
    for _ in range(2):
        getattr(stack, end)()
        stack.start()
        assert items(stack)["counter"]["n"] == {"N": "2"}
        assert sequences(stack) == before
    add_one(stack.client("dynamodb"), "token-3")
    assert sequences(stack)[:-1] == before


@requirement("G1")
def test_acknowledged_messages_survive_a_kill(stack):
    queues = stack.client("sqs")
    url = queues.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "900"})["QueueUrl"]
    for body in ("done", "being worked on", "waiting"):
        queues.send_message(QueueUrl=url, MessageBody=body)
    first, second = (queues.receive_message(QueueUrl=url)["Messages"][0] for _ in range(2))
    queues.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert (first["Body"], second["Body"]) == ("done", "being worked on")

    stack.kill()
    stack.start()
    queues = stack.client("sqs")
    url = queues.get_queue_url(QueueName="jobs")["QueueUrl"]
    assert f":{stack.port}/" in url
    assert queues.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"] == {
        "VisibilityTimeout": "900"
    }
    # Whoever worked on a message died with the stack: it is free at once, and counted.
    answer = queues.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"]
    )
    counts = {m["Body"]: m["Attributes"]["ApproximateReceiveCount"] for m in answer["Messages"]}
    assert counts == {"being worked on": "2", "waiting": "1"}


@requirement("G1", "C1")
def test_an_acknowledged_upload_survives_a_kill_with_its_event_and_versions(stack):
    queues, objects = stack.client("sqs"), stack.client("s3")
    queues.create_queue(QueueName="events")
    objects.create_bucket(Bucket="uploads")
    objects.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    objects.put_bucket_notification_configuration(
        Bucket="uploads",
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": QUEUE_ARN, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    bodies = [b"", os.urandom(100_000), b"last"]
    versions = [
        objects.put_object(Bucket="uploads", Key="ü ä.bin", Body=body)["VersionId"] for body in bodies
    ]
    stack.kill()
    stack.start()
    queues, objects = stack.client("sqs"), stack.client("s3")
    for version, body in zip(versions, bodies, strict=True):
        found = objects.get_object(Bucket="uploads", Key="ü ä.bin", VersionId=version)["Body"].read()
        assert hashlib.sha256(found).digest() == hashlib.sha256(body).digest()
    url = queues.get_queue_url(QueueName="events")["QueueUrl"]
    messages = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert sum("ObjectCreated:Put" in message["Body"] for message in messages) == len(bodies)
    assert all(version in str(messages) for version in versions)
    assert objects.get_bucket_versioning(Bucket="uploads")["Status"] == "Enabled"


def test_a_damaged_snapshot_is_not_overwritten(stack):
    make_table(stack)
    stack.stop()
    snapshot = stack.state_dir / "dynamodb.json"
    snapshot.write_text(snapshot.read_text()[:-20])
    damaged = snapshot.read_bytes()
    with pytest.raises(RuntimeError, match="did not start"):
        stack.start()
    assert snapshot.read_bytes() == damaged


def test_it_listens_on_loopback_only_and_keeps_its_state_to_itself(stack):
    assert stack.state_dir.stat().st_mode & 0o777 == 0o700
    assert status_of("127.0.0.1", stack.port, "/", host_header="evil.example") == 403
    listening = [
        c for c in psutil.Process(stack.process.pid).net_connections() if c.status == psutil.CONN_LISTEN
    ]
    assert [connection.laddr for connection in listening] == [("127.0.0.1", stack.port)]


def test_an_embedded_aws_lasts_as_long_as_its_block(tmp_path):
    with testing.embedded_aws(tmp_path) as endpoint:
        port = int(endpoint.rpartition(":")[2])
    assert status_of("127.0.0.1", port, "/") is None


EXPIRY = """
import asyncio, os, sys, threading, time
from pathlib import Path
from ministack.services import dynamodb
from apps.stack.embedded.durability import Durability

def call(target, body):
    headers = {"x-amz-target": "DynamoDB_20120810." + target}
    return dynamodb.handle_request("POST", "/", headers, body.encode(), {})

async def main(first):
    made = Durability(Path(os.environ["STATE_DIR"]))
    made.install()
    await made.restore()
    if first:
        await call("CreateTable", '{"TableName": "items", "BillingMode": "PAY_PER_REQUEST", '
            '"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], '
            '"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], '
            '"StreamSpecification": {"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"}}')
        await call("UpdateTimeToLive", '{"TableName": "items", '
            '"TimeToLiveSpecification": {"AttributeName": "until", "Enabled": true}}')
        put = '{"TableName": "items", "Item": {"id": {"S": "%s"}, "until": {"N": "%d"}}, ' \\
            '"ConditionExpression": "attribute_not_exists(id)"}'
        await call("PutItem", put % ("old", 1))
        await call("PutItem", put % ("new", time.time() + 3600))
        table = dynamodb._tables["items"]
        for key in ("old", "new"):
            thread = threading.Thread(
                target=dynamodb._remove_item, args=(table, key, "__no_sort__"), name="dynamodb-ttl-reaper"
            )
            thread.start()
            thread.join()
        await asyncio.sleep(0.05)
        await call("PutItem", put % ("old", time.time() + 3600))  # allowed, since it had expired
    records = [(r["eventName"], r.get("userIdentity", {}).get("type")) for r in dynamodb._stream_records["items"]]
    print(sorted(dynamodb._tables["items"]["items"]), records)

asyncio.run(main(sys.argv[1] == "first"))
"""


@requirement("G1")
def test_items_expire_in_their_place_of_the_log(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "STATE_DIR": str(tmp_path),
        "PERSIST_STATE": "1",
    }
    said = [
        subprocess.run(
            [ROOT / ".venv-stack/bin/python", "-c", EXPIRY, turn],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for turn in ("first", "again")
    ]
    assert (
        said[0]
        == "['new', 'old'] [('INSERT', None), ('INSERT', None), ('REMOVE', 'Service'), ('INSERT', None)]\n"
    )
    assert said[1] == said[0]
