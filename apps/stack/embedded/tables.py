"""DynamoDB, made durable: every change is in the journal before its answer can leave.

Calls are logged as they came (with the account and region they ran under) and run again at start.
For that to give the same state, three things that depend on time or chance are tamed: items that
expire are logged when they do, a repeated transaction token is not logged twice, and stream sequence
numbers come from a counter that the journal carries.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import dynamodb

from apps.stack.embedded.journal import Entry, Journal
from apps.stack.embedded.packed import Rows

_MUTATING = frozenset(
    f"DynamoDB_20120810.{action}"
    for action in (
        *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"),
        *("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"),
        *("CreateTable", "UpdateTable", "DeleteTable", "UpdateTimeToLive", "UpdateContinuousBackups"),
        *("TagResource", "UntagResource"),
    )
)
_REAPER = "dynamodb-ttl-reaper"
# AWS's sequence numbers have 21 to 40 digits; the fixed width keeps text order and number order the same.
_FIRST_SEQUENCE = 10**24
SETTLED_SECONDS = 60
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Answer]]


class ReplayFailed(Exception):
    """A logged call does not succeed again."""


class DurableTables:
    """Hooks into ministack's DynamoDB; see the module's docstring."""

    service = "dynamodb"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._sequence = 0
        self._token_kept = False
        self._replaying = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.generation = 0
        self.lists = ""  # the token of those that fit the snapshot
        self.loaded = False

    def install(self) -> None:
        """Put the hooks in place; must precede ministack's loading of its snapshots."""
        self._handle: Handler = dynamodb.handle_request
        self._get_state = dynamodb.get_state
        self._load_state = dynamodb.load_persisted_state
        self._remove_item = dynamodb._remove_item  # noqa: SLF001
        self._store_token = dynamodb._txn_token_store  # noqa: SLF001
        self._lookup_token = dynamodb._txn_token_lookup  # noqa: SLF001
        dynamodb.handle_request = self._handle_and_log
        dynamodb.get_state = lambda: None  # ministack then leaves the snapshot alone: `state` makes it
        dynamodb.load_persisted_state = self._load
        dynamodb._next_stream_seq = self._next_sequence  # noqa: SLF001
        self._set_item = dynamodb._set_item  # noqa: SLF001
        dynamodb._set_item = self._keep_item  # noqa: SLF001
        self._records_since = dynamodb.stream_records_since
        dynamodb.stream_records_since = self._read_and_trim
        dynamodb._remove_item = self._removed  # noqa: SLF001
        dynamodb._txn_token_store = self._keep_token  # noqa: SLF001
        dynamodb._txn_token_lookup = lambda token: None if self._replaying else self._lookup_token(token)  # noqa: SLF001

    @staticmethod
    def index() -> None:
        """Make what is missing of what the indexes of all tables need, so that no Query waits for that."""
        for table in dynamodb._tables.all_values():  # noqa: SLF001
            dynamodb._index_members(table)  # noqa: SLF001

    def state(self, generation: int, token: str = "") -> dict[str, Any]:
        """The whole state but for the items, covering the journal up to a generation; stream records included.

        The token ties the lists of the indexes to it, which are kept beside it.

        It is the state itself, and no copy: whoever takes it writes it before anything changes.
        """
        with _uncopied():
            state: dict[str, Any] = self._get_state()
        for table in state["tables"].all_values():
            table["items"] = {}
        return state | {
            "generation": generation,
            "lists": token,
            "stream_sequence": self._sequence,
            "stream_records": dynamodb._stream_records,  # noqa: SLF001
            "stream_trimmed": dynamodb._stream_trimmed,  # noqa: SLF001
        }

    @staticmethod
    def rows() -> Iterator[bytes]:
        """Every item in a line, after a line that names its table."""
        for (account, region, name), table in dynamodb._tables.all_items():  # noqa: SLF001
            yield json.dumps([account, region, name]).encode() + b"\n"
            for partition, rows in table["items"].items():
                yield from Rows.of(rows).as_lines(partition)

    async def replay(self, entry: Entry) -> None:
        """Run a logged change again; another service's entries are passed over."""
        match entry:
            case ["call", int(sequence), str(account), str(region), str(target), str(body)]:
                await self._call_again(sequence, account, region, target, body)
            case [
                "expiry",
                int(sequence),
                str(account),
                str(region),
                str(table),
                str(hash_key),
                str(range_key),
            ]:
                self._sequence = sequence
                with request_scope(account, region):
                    self._expire(table, hash_key, range_key)

    def serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on changes are logged, and expired items removed on this loop."""
        self._loop = loop

    async def _call_again(self, sequence: int, account: str, region: str, target: str, body: str) -> None:
        self._sequence, self._replaying = sequence, True
        try:
            with request_scope(account, region):
                status, _, _ = await self._handle("POST", "/", {"x-amz-target": target}, body.encode(), {})
        finally:
            self._replaying = False
        if status != 200:
            raise ReplayFailed(
                f"The journal does not fit its snapshot: {target} at sequence {sequence} answers {status}."
            )

    async def _handle_and_log(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        before, self._token_kept = self._sequence, False
        # The handler does not suspend: nothing runs between the change and its entry in the journal.
        answer = await self._handle(method, path, headers, body, query)
        target = headers.get("x-amz-target", "")
        if answer[0] == 200 and target in _MUTATING and not self._repeats(body):
            self._journal.append(["call", before, get_account_id(), get_region(), target, body.decode()])
        return answer

    def _repeats(self, body: bytes) -> bool:
        """Whether a transaction was answered from the token's memory and changed nothing."""
        return b'"ClientRequestToken"' in body and not self._token_kept

    def _keep_token(self, token: str, entry: dict[str, Any]) -> None:
        self._token_kept = True
        self._store_token(token, entry)

    def _next_sequence(self) -> str:
        self._sequence += 1
        return str(_FIRST_SEQUENCE + self._sequence)

    def _keep_item(self, table: dict[str, Any], pk: str, sk: str, item: dict[str, Any]) -> Any:
        """Keep an item packed."""
        rows = table["items"].get(pk)
        if not isinstance(rows, Rows):
            table["items"][pk] = Rows.of(rows or {})
        return self._set_item(table, pk, sk, item)

    def _read_and_trim(self, table: str, position: int, limit: int, **where: Any) -> list[dict[str, Any]]:
        """Read a stream, and forget what is settled: whoever reads on from a place has done with what is before it.

        Kept for a day, as on AWS, the images of 300,000 changes took 2.6 GB. The record at the place stays, so that a
        reader which starts again finds it, and so does whatever is younger than SETTLED_SECONDS.
        """
        found: list[dict[str, Any]] = self._records_since(table, position, limit, **where)
        account, region = where.get("account_id") or get_account_id(), where.get("region") or get_region()
        records = dynamodb._stream_records.get_scoped(account, region, table) or []  # noqa: SLF001
        trimmed = dynamodb._stream_trimmed.get_scoped(account, region, table, 0)  # noqa: SLF001
        settled, oldest = min(position - trimmed - 1, len(records)), time.time() - SETTLED_SECONDS
        gone = 0
        while gone < settled and records[gone]["dynamodb"]["ApproximateCreationDateTime"] < oldest:
            gone += 1
        if gone:
            del records[:gone]
            dynamodb._stream_trimmed.set_scoped(account, region, table, trimmed + gone)  # noqa: SLF001
        return found

    def _load(self, data: dict[str, Any]) -> None:
        self._load_state(data)
        for table in dynamodb._tables.all_values():  # noqa: SLF001
            for partition, rows in table["items"].items():
                table["items"][partition] = Rows.of(rows)
        dynamodb._stream_records.update(data.get("stream_records", {}))  # noqa: SLF001
        dynamodb._stream_trimmed.update(data.get("stream_trimmed", {}))  # noqa: SLF001
        self.generation, self._sequence = data["generation"], data["stream_sequence"]
        self.lists = data.get("lists", "")
        self.loaded = True

    def _removed(self, table: dict[str, Any], hash_key: str, range_key: str) -> Any:
        if threading.current_thread().name != _REAPER:
            return self._remove_item(table, hash_key, range_key)
        # The reaper runs in a thread of its own, beside the calls. It may say what is expired; the
        # removal happens on the loop, where it has a place in the order of the journal.
        if self._loop is not None:
            account, region = table["TableArn"].split(":")[4], table["TableArn"].split(":")[3]
            self._loop.call_soon_threadsafe(
                self._expire_and_log, account, region, table["TableName"], hash_key, range_key
            )
        return None

    def _expire_and_log(self, account: str, region: str, table: str, hash_key: str, range_key: str) -> None:
        before = self._sequence
        with request_scope(account, region):
            if not _is_expired(table, hash_key, range_key):
                return  # written or removed since the reaper looked
            self._expire(table, hash_key, range_key)
        self._journal.append(["expiry", before, account, region, table, hash_key, range_key])

    def _expire(self, table: str, hash_key: str, range_key: str) -> None:
        """Remove an item as AWS's time to live does: the stream's record names the service."""
        before = self._sequence
        old = self._remove_item(dynamodb._tables[table], hash_key, range_key)  # noqa: SLF001
        dynamodb._emit_stream_event(table, "REMOVE", old, None)  # noqa: SLF001
        if self._sequence != before:
            record = dynamodb._stream_records[table][-1]  # noqa: SLF001
            record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@contextmanager
def _uncopied() -> Iterator[None]:
    """Ministack copies its whole state to be saved, which takes its time and its memory once more."""
    whole = dynamodb.copy
    dynamodb.copy = SimpleNamespace(deepcopy=lambda value: value)
    try:
        yield
    finally:
        dynamodb.copy = whole


def _is_expired(table: str, hash_key: str, range_key: str) -> bool:
    setting = dynamodb._ttl_settings.get(table) or {}  # noqa: SLF001
    items = (dynamodb._tables.get(table) or {}).get("items", {})  # noqa: SLF001
    moment = items.get(hash_key, {}).get(range_key, {}).get(setting.get("AttributeName"), {}).get("N")
    return moment is not None and float(moment) <= time.time()
