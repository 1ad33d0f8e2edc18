"""The only way to change a record: together with its audit entry, in one transaction (I1).

    with transaction(actor) as tx:
        tx.update(row, [...], condition=..., otherwise=IllegalTransition(...))
        tx.audit(PoolKeyEvent.REVOKED, key_id=...)

Nothing is written before the block ends; if anything fails, nothing is.
"""

import logging
import random
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
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
from apps.audit.records import Actor, Entry, Event, Outcome
from apps.audit.store import EntryTable, HeadTable
from apps.audit.trail import AuditEvent
from apps.common import clock
from apps.common.dynamodb import Page, Position, Table, connection
from apps.common.errors import Refused, Unavailable

log = logging.getLogger(__name__)
ATTEMPTS = 24  # other processes move heads too; with AUDIT_CHAINS chains a second attempt is already rare
MAX_OPERATIONS = 100  # of one TransactWriteItems, entries and head included


class AuditUnavailable(Unavailable):
    """The entry could not be written, so the operation was not done (fail closed, D2)."""


class Conflict(Refused):
    """A record was not in the state that the operation needs; nothing was changed."""


@dataclass(frozen=True, slots=True)
class _Operation:
    kind: str
    row: Any
    condition: Condition | None
    otherwise: Exception
    actions: list[Action] = field(default_factory=list)


@dataclass(slots=True)
class Transaction:
    """Changes and their entries, collected; committed by :func:`transaction`."""

    actor: Actor
    operations: list[_Operation] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def put(self, row: Table[Any], *, otherwise: Exception | None = None) -> None:
        """Write a row that must not exist yet."""
        self._add("put", row, row.absent(), otherwise)

    def replace(self, row: Table[Any], *, condition: Condition, otherwise: Exception | None = None) -> None:
        """Write a whole row over one that must meet ``condition``."""
        self._add("put", row, condition, otherwise)

    def update(
        self,
        row: Table[Any],
        actions: Sequence[Action],
        *,
        condition: Condition,
        otherwise: Exception | None = None,
    ) -> None:
        """Change a row that must meet ``condition``; else ``otherwise`` is raised."""
        self._add("update", row, condition, otherwise, actions)

    def delete(
        self, row: Table[Any], *, condition: Condition | None = None, otherwise: Exception | None = None
    ) -> None:
        """Remove a row that must meet ``condition``; without one, it may also be absent."""
        self._add("delete", row, condition, otherwise)

    def require(self, row: Table[Any], *, condition: Condition, otherwise: Exception) -> None:
        """Change nothing, but require that the row with this key meets ``condition``."""
        self._add("check", row, condition, otherwise)

    def _add(
        self,
        kind: str,
        row: Table[Any],
        condition: Condition | None,
        otherwise: Exception | None,
        actions: Sequence[Action] | None = None,
    ) -> None:
        failure = otherwise or Conflict(
            "The record was changed by someone else meanwhile. Read it again, then retry."
        )
        self.operations.append(_Operation(kind, row, condition, failure, list(actions or [])))

    def audit(
        self,
        event: Event,
        *,
        outcome: Outcome = Outcome.OK,
        key_id: str | None = None,
        session_id: str | None = None,
        file_id: str | None = None,
        **detail: Any,
    ) -> None:
        """Record what the transaction does. ``detail`` is plain JSON and never key material."""
        subjects = {"key_id": key_id, "session_id": session_id, "file_id": file_id}
        self.entries.append({"event": event, "outcome": outcome, "detail": detail, **subjects})


@contextmanager
def transaction(actor: Actor) -> Iterator[Transaction]:
    """Collect changes and their audit entries; commit all or nothing at the end of the block.

    Raises:
        AuditUnavailable: the entry could not be written; nothing was changed.
        Conflict, or the ``otherwise`` of the operation whose condition failed: nothing was changed.
        ValueError: changes without an entry.
    """
    tx = Transaction(actor)
    yield tx
    if not tx.entries:
        raise ValueError("A change needs its audit entry.")
    if len(tx.operations) + len(tx.entries) + 1 > MAX_OPERATIONS:
        raise ValueError(f"A transaction holds at most {MAX_OPERATIONS} operations.")
    with _free_chain() as chain:
        _commit(tx, chain)


def may_see(actor: Actor, owner: str, **subject: str) -> bool:
    """Return whether an actor may see what an owner has; where not, record that they tried (D1)."""
    if actor.may_see(owner):
        return True
    record(actor, AuditEvent.ACCESS_DENIED, outcome=Outcome.DENIED, **subject)
    return False


def record(actor: Actor, event: Event, **fields: Any) -> None:
    """Write an entry alone: of a read, or of a refusal."""
    with transaction(actor) as tx:
        tx.audit(event, **fields)


class _Chains:
    """What this process knows of the chains' heads. Its threads take different chains, other processes start elsewhere."""

    def __init__(self) -> None:
        self.names = chains.names(settings.AUDIT_CHAINS)
        random.shuffle(self.names)
        self.locks = {name: threading.Lock() for name in self.names}
        self.heads: dict[str, tuple[int, str]] = {}


@cache
def _chains() -> _Chains:
    return _Chains()


@contextmanager
def _free_chain() -> Iterator[str]:
    view = _chains()
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
    heads = _chains().heads
    if fresh or chain not in heads:
        row = store.head(chain)
        heads[chain] = (row.sequence, row.hash) if row else (0, chains.genesis(chain))
    return heads[chain]


def _commit(tx: Transaction, chain: str) -> None:
    for attempt in range(ATTEMPTS):
        try:
            sequence, digest = _head(chain, fresh=attempt > 0)
            entries = _as_entries(tx, chain, sequence, digest)
            _write(tx, chain, sequence, entries)
        except TransactWriteError as error:
            _chains().heads.pop(chain, None)
            if not _is_worth_retrying(tx, error):
                raise
            time.sleep(random.uniform(0, 0.004 * 2 ** min(attempt, 6)))  # noqa: S311 - spreads retries, no secret
            continue
        except PynamoDBException as error:
            raise AuditUnavailable(
                "The audit trail cannot be read, so nothing was changed. Try again."
            ) from error
        _chains().heads[chain] = (entries[-1].sequence, entries[-1].hash)
        return
    raise AuditUnavailable("The audit trail is too busy; nothing was changed. Try again.")


def _as_entries(tx: Transaction, chain: str, sequence: int, digest: str) -> list[Entry]:
    made: list[Entry] = []
    moment, key = clock.now(), settings.AUDIT_KEY.encode()
    for number, fields in enumerate(tx.entries, sequence + 1):
        entry = Entry(
            chain=chain,
            sequence=number,
            timestamp=moment,
            actor=str(tx.actor),
            source_ip=tx.actor.source_ip,
            **fields,
        )
        made.append(chains.as_link(entry, after=digest, key=key))
        digest = made[-1].hash
    return made


def _write(tx: Transaction, chain: str, sequence: int, entries: list[Entry]) -> None:
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


def _add(write: TransactWrite, operation: _Operation) -> None:
    if operation.kind == "put":
        write.save(operation.row, condition=operation.condition)
    elif operation.kind == "update":
        write.update(operation.row, operation.actions, condition=operation.condition)
    elif operation.kind == "check":
        write.condition_check(type(operation.row), operation.row.key, condition=operation.condition)
    else:
        write.delete(operation.row, condition=operation.condition)


def _in_request_order(operations: list[_Operation]) -> list[_Operation]:
    """Sort operations as PynamoDB sends them: checks, deletes, puts, updates, each in the order added."""
    order = {"check": 0, "delete": 1, "put": 2, "update": 3}
    return sorted(operations, key=lambda operation: order[operation.kind])


def _is_worth_retrying(tx: Transaction, error: TransactWriteError) -> bool:
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
            raise operation.otherwise from error
    codes = {reason.code for reason in reasons if reason is not None}
    if codes <= {
        "ConditionalCheckFailed",
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }:
        return True
    raise AuditUnavailable(f"The database refused the change ({', '.join(sorted(codes))}).") from error


def entries_page(
    *, limit: int, position: Position | None = None, by: str | None = None, value: str = ""
) -> Page[Entry]:
    """Read a page of all entries, or of those of one ``actor``, ``key``, ``session`` or ``file``, newest first."""
    return store.entries_page(limit=limit, position=position, by=by, value=value)


def find_entry(chain: str, sequence: int) -> Entry | None:
    """Read one entry; return None where there is none."""
    return EntryTable.find(chain, sequence)
