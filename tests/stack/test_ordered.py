"""Queries over ordered lists answer what ministack answers over whole partitions, and the journal shrinks meanwhile."""

import json
import os
import subprocess
import threading
import time

import pytest

from apps.stack import testing
from apps.stack.configuration import ROOT
from tests import requirement
from tests.stack.conftest import Stack
from tests.stack.test_durability import TABLE, items, make_table
from tests.waiting import LIMIT_SECONDS, wait_for

COMPACT_BYTES = 8 * 2**20  # of compacting_script
PUT = 300_000
MANY = COMPACT_BYTES // PUT + 3  # more than a journal may have


class Compacting(Stack):
    """An embedded AWS whose journal is compacted soon."""

    def start(self) -> None:
        self.port = testing.free_port()
        program = ("-P", str(ROOT / "tests/stack/compacting_script.py"))
        self.process = testing.start(self.state_dir, self.port, program=program)


@pytest.fixture
def stack(tmp_path):
    made = Compacting(tmp_path / "aws")
    yield made
    made.kill()


@requirement("I6", "F1")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_every_page_of_random_queries_is_the_same(tmp_path, seed):
    ended = subprocess.run(
        [ROOT / ".venv-stack/bin/python", ROOT / "tests/stack/ordered_script.py", str(seed)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert int(ended.stdout) > 150


def put_many(stack, count, size, kept):
    client = stack.client("dynamodb")
    for number in range(count):
        name = f"{threading.get_ident()}-{number}"
        client.put_item(TableName=TABLE, Item={"id": {"S": name}, "body": {"S": "x" * size}})
        kept.append(name)


def generations(stack):
    return sorted(path.name for path in stack.state_dir.glob("journal-*.log"))


@requirement("G1", "F1")
@pytest.mark.parametrize("when", ["during", "after"])
def test_nothing_is_lost_when_the_journal_is_compacted_under_load_and_killed(stack, when):
    make_table(stack)
    kept: list[str] = []
    first = generations(stack)
    put_many(stack, MANY, PUT, kept)
    writer = threading.Thread(target=_until_it_ends, args=(stack, kept))
    writer.start()
    wait_for(lambda: generations(stack) != first)
    if when == "after":
        wait_for(lambda: first[0] not in generations(stack))
        state = (stack.state_dir / "dynamodb.json").read_text().partition("\n")[0]
        assert json.loads(state)["payload"]["generation"] > 0
    stack.kill()
    writer.join()
    stack.start()
    assert set(kept) <= items(stack).keys()


def _until_it_ends(stack, kept):
    try:
        put_many(stack, 100_000, 10, kept)
    except Exception:  # noqa: BLE001 - it was killed
        return


@requirement("G1", "F1")
def test_calls_go_on_while_the_journal_is_compacted(stack):
    make_table(stack)
    kept: list[str] = []
    put_many(stack, MANY, PUT, kept)
    client, answered = stack.client("dynamodb"), 0
    deadline = time.monotonic() + LIMIT_SECONDS
    # Over several times, where the machine had so much to do that one was missed
    while answered <= 5:
        assert time.monotonic() < deadline
        if len(generations(stack)) == 1:
            put_many(stack, 1, PUT, kept)
            continue
        client.get_item(TableName=TABLE, Key={"id": {"S": kept[0]}}, ProjectionExpression="id")
        answered += len(generations(stack)) > 1


@requirement("G1", "F1")
def test_a_large_snapshot_is_not_written_again_for_a_few_changes(stack):
    make_table(stack)
    stack.stop()
    stack.start()  # a start makes lists; where a snapshot has none, it is written again in the background
    kept: list[str] = []
    lists, snapshot = "dynamodb.lists", stack.state_dir / "dynamodb.json"
    put_many(stack, MANY, PUT, kept)
    wait_for(lambda: snapshot.stat().st_size > COMPACT_BYTES and len(generations(stack)) == 1)
    written = snapshot.stat().st_mtime_ns
    for _ in range(2):
        put_many(stack, 2, 10, kept)
        stack.stop()
        assert snapshot.stat().st_mtime_ns == written
        stack.start()
        assert set(kept) == items(stack).keys()
    put_many(stack, 600, 10, kept)
    stack.stop()
    assert snapshot.stat().st_mtime_ns > written
    assert generations(stack) == []
    stack.start()
    assert set(kept) == items(stack).keys()
    stack.stop()
    (stack.state_dir / lists).unlink()
    stack.start()
    wait_for((stack.state_dir / lists).exists)  # made again for the next start, though nothing changed


@requirement("F1")
@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_stream_keeps_what_is_not_settled_and_no_more(stack):
    make_table(stack)
    kept: list[str] = []
    put_many(stack, 30, 10, kept)
    time.sleep(62)
    streams = stack.client("dynamodbstreams")
    arn = streams.list_streams(TableName=TABLE)["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]

    def iterator(kind, **more):
        return streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more)[
            "ShardIterator"
        ]

    first = streams.get_records(ShardIterator=iterator("TRIM_HORIZON"), Limit=20)
    assert len(first["Records"]) == 20
    again = streams.get_records(ShardIterator=iterator("TRIM_HORIZON"), Limit=1000)["Records"]
    assert len(again) == 30  # nothing is settled before somebody reads on
    second = streams.get_records(ShardIterator=first["NextShardIterator"], Limit=20)
    assert len(second["Records"]) == 10
    left = streams.get_records(ShardIterator=iterator("TRIM_HORIZON"), Limit=1000)["Records"]
    assert [r["dynamodb"]["Keys"]["id"]["S"] for r in left] == kept[19:]
    place = first["Records"][-1]["dynamodb"]["SequenceNumber"]
    after = streams.get_records(ShardIterator=iterator("AFTER_SEQUENCE_NUMBER", SequenceNumber=place))
    assert [r["dynamodb"]["Keys"]["id"]["S"] for r in after["Records"]] == kept[20:]
