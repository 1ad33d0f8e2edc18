"""The tables' streams, polled and handed to the entry as Lambda's event source mapping would.

Where a stream was read to is kept in a file after each batch, so a record is delivered at least once: a
restart goes on after the last settled batch, and from the oldest record where that place is unknown.
"""

import base64
import json
import logging
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from apps.common import aws
from apps.common.dynamodb import all_tables
from apps.stack import batches
from apps.stack.invocation import Entry
from apps.stack.layout import write_private

log = logging.getLogger(__name__)
POLL_SECONDS = 0.25  # Lambda polls a shard four times a second
_LOST = frozenset({"ExpiredIteratorException", "TrimmedDataAccessException", "ResourceNotFoundException"})


class Checkpoints:
    """The last settled sequence number of each table's shards."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _places_in(path)

    def get(self, table: str, shard: str) -> str | None:
        return self._known.get(f"{table}/{shard}")

    def put(self, table: str, shard: str, sequence: str | None) -> None:
        if sequence is None:
            self._known.pop(f"{table}/{shard}", None)
        else:
            self._known[f"{table}/{shard}"] = sequence
        try:
            write_private(self._path, json.dumps(self._known))
        except (
            OSError
        ) as error:  # a full disk, say: a relay that ended for that would in the end take all parts with it
            log.warning(
                "a place in %s is not kept (%s): a restart delivers it again", table, type(error).__name__
            )


def _places_in(path: Path) -> dict[str, str]:
    """What is kept of the places; nothing where that is damaged, so that every stream is read from its oldest record."""
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        log.error("%s is damaged (%s): reading from the oldest records", path, type(error).__name__)  # noqa: TRY400
        return {}
    whole = isinstance(kept, dict) and all(isinstance(value, str) for value in kept.values())
    if not whole:
        log.error("%s is damaged: reading from the oldest records", path)
    return kept if whole else {}


class StreamRelay:
    """One table's stream."""

    def __init__(self, table: str, entry: Entry, checkpoints: Checkpoints) -> None:
        self._table = table
        self._entry = entry
        self._checkpoints = checkpoints
        self._arn = ""
        self._iterators: dict[str, str | None] = {}  # None: read to its end

    def poll(self) -> bool:
        """Deliver what is new; False where nothing was."""
        if not any(self._iterators.values()):
            self._find_shards()
        found = False
        for shard, iterator in list(self._iterators.items()):
            if iterator is not None:
                found |= self._read(shard, iterator)
        return found

    def _find_shards(self) -> None:
        described = aws.client("dynamodb").describe_table(TableName=self._table)["Table"]
        self._arn = described["LatestStreamArn"]
        stream = aws.client("dynamodbstreams").describe_stream(StreamArn=self._arn)["StreamDescription"]
        # Parents come before their children in AWS's answer, so the order of changes to an item is kept.
        for shard in stream["Shards"]:
            name = shard["ShardId"]
            if name not in self._iterators:
                self._iterators[name] = self._iterator(name)

    def _iterator(self, shard: str) -> str:
        last = self._checkpoints.get(self._table, shard)
        streams = aws.client("dynamodbstreams")
        if last is not None:
            try:
                return streams.get_shard_iterator(
                    StreamArn=self._arn,
                    ShardId=shard,
                    ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                    SequenceNumber=last,
                )["ShardIterator"]
            except ClientError as error:
                if error.response["Error"]["Code"] not in _LOST:
                    raise
                log.warning(
                    "%s: the place to go on from is gone, reading from the oldest record", self._table
                )
        return streams.get_shard_iterator(
            StreamArn=self._arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]

    def _read(self, shard: str, iterator: str) -> bool:
        try:
            answer = aws.client("dynamodbstreams").get_records(
                ShardIterator=iterator, Limit=batches.BATCH_SIZE
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in _LOST:
                raise
            del self._iterators[shard]  # found again at the next poll
            return False
        records = [as_event(record, self._arn) for record in answer["Records"]]
        if records:
            batches.deliver(self._entry, records, source=f"stream of {self._table}")
            self._checkpoints.put(self._table, shard, records[-1]["dynamodb"]["SequenceNumber"])
        self._iterators[shard] = answer.get("NextShardIterator")
        return bool(records)


def as_event(record: Any, arn: str) -> batches.Record:
    """A record of the streams API as Lambda receives it: times as numbers, binary as base64."""
    event: batches.Record = _plain(dict(record)) | {"eventSourceARN": arn}
    identity = event.pop("userIdentity", None)
    if identity:
        event["userIdentity"] = {key[0].lower() + key[1:]: value for key, value in identity.items()}
    return event


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def relays(entry: Entry, checkpoints: Checkpoints) -> list[StreamRelay]:
    """One for each table whose model asks for a stream."""
    names = [table.Meta.table_name for table in all_tables() if getattr(table.Meta, "stream_view_type", None)]
    return [StreamRelay(name, entry, checkpoints) for name in names]


def relay_streams(entry: Entry, checkpoints: Checkpoints, stop: threading.Event) -> None:
    """Poll until told to stop."""
    streams = relays(entry, checkpoints)
    while not stop.is_set():
        found = [stream.poll() for stream in streams]
        if not any(found):
            stop.wait(POLL_SECONDS)
