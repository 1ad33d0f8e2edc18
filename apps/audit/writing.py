"""Write changes and entries together: the head of a chain moves in the same TransactWriteItems (I1).

Each process prefers its own chains, so that heads are seldom contended. Where another process moved the head in
between, the transaction is built again on the new one.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from apps.audit import chain as chains
from apps.audit import store
from apps.audit.records import Actor, Entry
from apps.audit.store import EntryTable, HeadTable
from apps.common import clock
from apps.common.dynamodb import connection
from apps.common.errors import Unavailable

ATTEMPTS = 24  # other processes move heads too; with AUDIT_CHAINS chains a second attempt is already rare


class AuditUnavailable(Unavailable):
    """The entry could not be written, so the operation was not done (fail closed, D2)."""


# What is raised where a condition fails, or makes that: a function can also forget what was read
Otherwise = Exception | Callable[[], Exception]


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of a transaction, and what is raised where its condition fails."""

    kind: str
    row: Any
    condition: Condition | None
    otherwise: Otherwise
    actions: list[Action] = field(default_factory=list)
    tag: str = ""  # the row's new tag, for the entry; empty where it stays


@dataclass(frozen=True, slots=True)
class _Change:
    """What one transaction writes."""

    actor: Actor
    operations: Sequence[Operation]
    entries: Sequence[Mapping[str, Any]]


class Chains:
    """What this process knows of the chains' heads. Its threads take different chains, other processes start elsewhere."""

    def __init__(self) -> None:
        self.names = chains.names(settings.AUDIT_CHAINS)
        random.shuffle(self.names)
        self.locks = {name: threading.Lock() for name in self.names}
        self.heads: dict[str, tuple[int, str]] = {}


@cache
def known_chains() -> Chains:
    return Chains()


@contextmanager
def _free_chain() -> Iterator[str]:
    view = known_chains()
    for name in view.names:
        if view.locks[name].acquire(blocking=False):
            break
    else:
        name = view.names[0]
        view.locks[name].acquire()
    try:
        yield name
    finally:
        view.locks[name].release()


def _head(chain: str, *, fresh: bool) -> tuple[int, str]:
    heads = known_chains().heads
    if fresh or chain not in heads:
        row = store.head(chain)
        heads[chain] = (row.sequence, row.hash) if row else (0, chains.genesis(chain))
    return heads[chain]


def commit(actor: Actor, operations: Sequence[Operation], entries: Sequence[Mapping[str, Any]]) -> None:
    """Write changes, their entries and the head of a chain in one TransactWriteItems.

    Raises:
        AuditUnavailable: the entries could not be written; nothing was changed.
        the ``otherwise`` of the operation whose condition failed; nothing was changed.
    """
    with _free_chain() as chain:
        _commit(_Change(actor, operations, entries), chain)


def _commit(tx: _Change, chain: str) -> None:
    for attempt in range(ATTEMPTS):
        try:
            sequence, digest = _head(chain, fresh=attempt > 0)
            entries = _as_entries(tx, chain, sequence, digest)
            _write(tx, chain, sequence, entries)
        except TransactWriteError as error:
            known_chains().heads.pop(chain, None)
            if not _is_worth_retrying(tx, error):
                raise
            time.sleep(random.uniform(0, 0.004 * 2 ** min(attempt, 6)))  # noqa: S311 - spreads retries, no secret
            continue
        except PynamoDBException as error:
            raise AuditUnavailable(
                "The audit trail cannot be read, so nothing was changed. Try again."
            ) from error
        known_chains().heads[chain] = (entries[-1].sequence, entries[-1].hash)
        return
    raise AuditUnavailable("The audit trail is too busy; nothing was changed. Try again.")


def _as_entries(tx: _Change, chain: str, sequence: int, digest: str) -> list[Entry]:
    made: list[Entry] = []
    moment, key = clock.now(), settings.AUDIT_KEY.encode()
    tags = {operation.row.row_name: operation.tag for operation in tx.operations if operation.tag}
    for number, fields in enumerate(tx.entries, sequence + 1):
        entry = Entry(
            chain=chain,
            sequence=number,
            timestamp=moment,
            actor=str(tx.actor),
            source_ip=tx.actor.source_ip,
            via=tx.actor.via or None,
            rows=tags if number == sequence + 1 else {},
            **fields,
        )
        made.append(chains.as_link(entry, after=digest, key=key))
        digest = made[-1].hash
    return made


def _write(tx: _Change, chain: str, sequence: int, entries: list[Entry]) -> None:
    head = HeadTable(
        chain=chain,
        sequence=entries[-1].sequence,
        hash=entries[-1].hash,
        seal=chains.head_seal(chain, entries[-1].sequence, entries[-1].hash, settings.AUDIT_KEY.encode()),
    )
    unmoved = HeadTable.sequence == sequence if sequence else HeadTable.chain.does_not_exist()
    # The token makes the SDK's own retry of a lost answer harmless
    with TransactWrite(connection=connection(), client_request_token=str(uuid.uuid4())) as write:
        for operation in tx.operations:
            _add(write, operation)
        for entry in entries:
            write.save(EntryTable.of(entry), condition=EntryTable.chain.does_not_exist())
        write.save(head, condition=unmoved)


def _add(write: TransactWrite, operation: Operation) -> None:
    if operation.kind == "put":
        write.save(operation.row, condition=operation.condition)
    elif operation.kind == "update":
        write.update(operation.row, operation.actions, condition=operation.condition)
    elif operation.kind == "check":
        write.condition_check(type(operation.row), operation.row.key, condition=operation.condition)
    else:
        write.delete(operation.row, condition=operation.condition)


def _in_request_order(operations: Sequence[Operation]) -> list[Operation]:
    """Sort operations as PynamoDB sends them: checks, deletes, puts, updates, each in the order added."""
    order = {"check": 0, "delete": 1, "put": 2, "update": 3}
    return sorted(operations, key=lambda operation: order[operation.kind])


def _is_worth_retrying(tx: _Change, error: TransactWriteError) -> bool:
    """Return whether only the chain's head or another transaction was in the way.

    Raises:
        the ``otherwise`` of an operation whose condition failed.
        AuditUnavailable: the database refused for another reason.
    """
    reasons = error.cancellation_reasons
    if not reasons:
        if error.cause_response_code in {"TransactionInProgressException", "TransactionConflictException"}:
            return True
        raise AuditUnavailable(
            "The database could not be reached, so nothing was confirmed. Look whether it was done before you try again."
        ) from error
    puts = sum(operation.kind != "update" for operation in tx.operations)
    own = [*reasons[:puts], *reasons[puts + len(tx.entries) + 1 :]]  # entries and head are the last puts
    for reason, operation in zip(own, _in_request_order(tx.operations), strict=True):
        if reason is not None and reason.code == "ConditionalCheckFailed":
            otherwise = operation.otherwise
            raise (otherwise if isinstance(otherwise, Exception) else otherwise()) from error
    codes = {reason.code for reason in reasons if reason is not None}
    if codes <= {
        "ConditionalCheckFailed",
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }:
        return True
    raise AuditUnavailable(f"The database refused the change ({', '.join(sorted(codes))}).") from error
