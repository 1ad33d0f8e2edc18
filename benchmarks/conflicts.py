"""Throughput of the trail by chains and shards: conflicts of the platform's own writers, counted.

    python -m benchmarks.conflicts [seconds]

Each thread is one function of AWS: it has its own view of the chains, as a process has, and does one thing at a time.
It records entries by ``apps.audit.services.record``: its choice of chain, its retries and its waits are the product's.
DynamoDB is held in process, with what makes conflicts there: a transaction on a head that another one holds at that moment
is cancelled, and one whose head has moved fails its condition. A transaction takes ``SECONDS``; time runs ``SLOWER`` times
slower here, waits between tries too, so that two busy cores carry 64 functions. What AWS's transactions take is assumed.

Of the lists is counted how many of the entries one partition takes: it ends at 1,000 write units a second.
"""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from django.conf import settings

from apps.audit import writing
from apps.audit.records import Actor, ActorKind
from apps.audit.services import record
from apps.audit.store import EntryTable, HeadTable
from apps.common.errors import Unavailable
from apps.files.trail import FileEvent
from benchmarks.report import load, machine, table

SECONDS = 0.020  # of a TransactWriteItems on AWS; of a GetItem a fifth
SLOWER = 15.0
PARTITION_UNITS = 1000  # write units that one partition takes in a second: AWS
UNIT_BYTES = 1024
CHAINS, WRITERS, SHARDS = (16, 64, 256), (8, 64), (1, 2, 4)


@dataclass
class Database:
    """The heads of the chains, as DynamoDB's transactions see them; counts what it cancels."""

    heads: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    listed: Counter[str] = field(default_factory=Counter)
    units: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer as a client of botocore does."""
        if operation == "GetItem":
            time.sleep(SECONDS * SLOWER / 5)
            with self.lock:
                found = self.heads.get(arguments["Key"]["chain"]["S"])
            return {"Item": found} if found else {}
        if operation == "TransactWriteItems":
            return self._transact([one["Put"] for one in arguments["TransactItems"]])
        raise AssertionError(f"not expected: {operation}")

    def _transact(self, puts: list[dict[str, Any]]) -> dict[str, Any]:
        [head] = [one for one in puts if one["TableName"] == HeadTable.Meta.table_name]
        chain = head["Item"]["chain"]["S"]
        with self.lock:
            self.counts["tries"] += 1
            free = chain not in self.held
            self.held |= {chain}
        time.sleep(SECONDS * SLOWER)
        with self.lock:
            known = next(iter(head.get("ExpressionAttributeValues", {}).values()), {"N": "0"})["N"]
            there = self.heads.get(chain, {"sequence": {"N": "0"}})["sequence"]["N"]
            if free:
                self.held.discard(chain)
            if not free or known != there:
                self.counts["conflicts" if not free else "moved"] += 1
                raise _cancelled(len(puts), "TransactionConflict" if not free else "ConditionalCheckFailed")
            self.heads[chain] = head["Item"]
            self.counts["done"] += 1
            for one in puts:
                if one["TableName"] == EntryTable.Meta.table_name:
                    self.listed[one["Item"]["feed"]["S"]] += 1
                    self.units += -(-_size(one["Item"]) // UNIT_BYTES)
        return {}


def _cancelled(items: int, code: str) -> ClientError:
    reasons: list[dict[str, str]] = [{"Code": "None"}] * (items - 1) + [{"Code": code, "Message": code}]
    told: Any = {
        "Error": {
            "Code": "TransactionCanceledException",
            "Message": f"[{', '.join(one['Code'] for one in reasons)}]",
        },
        "CancellationReasons": reasons,
    }
    return ClientError(told, "TransactWriteItems")


def _size(item: dict[str, Any]) -> int:
    return sum(len(name) + sum(len(str(value)) for value in told.values()) for name, told in item.items())


@contextmanager
def functions(chains: int, shards: int) -> Iterator[Database]:
    """A database, and writers each of which knows the chains as a process of its own does."""
    own, database, sleep = threading.local(), Database(), time.sleep

    def known() -> writing.Chains:
        if not hasattr(own, "chains"):
            own.chains = writing.Chains()
        found: writing.Chains = own.chains
        return found

    waits = mock.Mock(wraps=time, sleep=lambda seconds: sleep(seconds * SLOWER))
    with (
        mock.patch.object(settings, "AUDIT_CHAINS", chains),
        mock.patch.object(settings, "FEED_SHARDS", shards),
        mock.patch.object(writing, "known_chains", known),
        mock.patch.object(writing, "time", waits),
        mock.patch.object(BaseClient, "_make_api_call", database.call),
    ):
        yield database


def measured(chains: int, writers: int, *, shards: int = 1, seconds: float = 10.0) -> Database:
    """Have so many functions record entries without a pause, and return what the database counted."""
    with functions(chains, shards) as database:
        until = time.monotonic() + seconds

        def work(number: int) -> None:
            actor = Actor(ActorKind.SERVICE, f"{number:016x}", source_ip="192.0.2.1")
            while time.monotonic() < until:
                try:
                    record(actor, FileEvent.READ, file_id="4a" * 18, name="report.pdf", bytes=1)
                except (
                    Unavailable
                ):  # a request that fails for its conflicts is counted, and the next one comes
                    database.counts["refused"] += 1

        threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return database


def main() -> None:
    """Print conflicts and throughput by chains, and the throughput of both."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print(f"{machine()}; {load()}")
    measured(16, 2, seconds=1.0)  # what a process does once is not counted
    rows, at_most = [], {}
    for chains in CHAINS:
        cells: list[str] = []
        for writers in WRITERS:
            found = measured(chains, writers, seconds=seconds)
            counts = found.counts
            rate = counts["done"] / seconds * SLOWER
            at_most[chains] = rate
            lost = 1 - counts["done"] / counts["tries"]
            cells.append(
                f"{lost:.0%}, {rate:,.0f}/s" + (f", {counts['refused']} refused" if counts["refused"] else "")
            )
        rows.append((chains, *cells))
    header = ("AUDIT_CHAINS", *(f"{writers} functions" for writers in WRITERS))
    table(f"Tries that conflict, and entries a second ({SECONDS * 1000:.0f} ms a transaction)", header, rows)
    lists = {}
    for shards in SHARDS:
        found = measured(256, 64, shards=shards, seconds=seconds / 2)
        share, units = max(found.listed.values()) / found.counts["done"], found.units / found.counts["done"]
        lists[shards] = PARTITION_UNITS / (share * units)
    both = [
        (chains, *(f"{min(lists[shards], at_most[chains]):,.0f}/s" for shards in SHARDS)) for chains in CHAINS
    ]
    table(
        f"Entries a second of {WRITERS[-1]} functions, by chains and shards",
        ("AUDIT_CHAINS", *(f"FEED_SHARDS {shards} (Queries a page)" for shards in SHARDS)),
        both,
    )


if __name__ == "__main__":
    main()
