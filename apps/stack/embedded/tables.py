"""DynamoDB, made durable: every change is in the journal before its answer can leave.

Calls are logged as they came (with the account and region they ran under) and run again at start.
For that to give the same state, three things that depend on time or chance are tamed: items that
expire are logged when they do, a repeated transaction token is not logged twice, and stream sequence
numbers come from a counter that the journal carries.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import dynamodb

from apps.stack.embedded.journal import Entry, Journal

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
        dynamodb._remove_item = self._removed  # noqa: SLF001
        dynamodb._txn_token_store = self._keep_token  # noqa: SLF001
        dynamodb._txn_token_lookup = lambda token: None if self._replaying else self._lookup_token(token)  # noqa: SLF001

    def state(self, generation: int) -> dict[str, Any]:
        """The whole state, covering the journal up to a generation; stream records included."""
        state: dict[str, Any] = self._get_state()
        return state | {
            "generation": generation,
            "stream_sequence": self._sequence,
            "stream_records": dynamodb._stream_records,  # noqa: SLF001
            "stream_trimmed": dynamodb._stream_trimmed,  # noqa: SLF001
        }

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
            raise ReplayFailed(f"{target} at sequence {sequence} answered {status}")

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

    def _load(self, data: dict[str, Any]) -> None:
        self._load_state(data)
        dynamodb._stream_records.update(data.get("stream_records", {}))  # noqa: SLF001
        dynamodb._stream_trimmed.update(data.get("stream_trimmed", {}))  # noqa: SLF001
        self.generation, self._sequence = data["generation"], data["stream_sequence"]
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


def _is_expired(table: str, hash_key: str, range_key: str) -> bool:
    setting = dynamodb._ttl_settings.get(table) or {}  # noqa: SLF001
    items = (dynamodb._tables.get(table) or {}).get("items", {})  # noqa: SLF001
    moment = items.get(hash_key, {}).get(range_key, {}).get(setting.get("AttributeName"), {}).get("N")
    return moment is not None and float(moment) <= time.time()
