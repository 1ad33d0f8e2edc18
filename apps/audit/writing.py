"""Write changes and entries together: the head of a chain moves in the same TransactWriteItems (I1).

Each process prefers its own chains, so that heads are seldom contended. Where another process moved the head in
between, the transaction is built again on another chain, which is preferred from then on: two processes that meet on
one chain part there.
"""

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from apps.audit import chain as chains
from apps.audit import store
from apps.audit.chain_keys import ring
from apps.audit.records import Actor, Entry, Head
from apps.audit.store import EntryTable, HeadTable
from apps.common import clock, tracing
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import connection
from apps.common.errors import Unavailable
from apps.common.transient import code_of

log = logging.getLogger(__name__)
HELD_BACK = "clock_behind_seconds"  # in the details of an entry that was given the time of the one before it
CLOCK_TOLERANCE_SECONDS = 1.0
ATTEMPTS = 24  # other processes move heads too; with AUDIT_CHAINS chains a second attempt is already rare


class AuditUnavailable(Unavailable):
    """The entry could not be written, so the operation was not done (fail closed, D2)."""


class ChainDamaged(Exception):
    """The head of a chain is not what the platform wrote: nothing is added to it."""


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
    first: bool = False  # tells more than any other condition that fails as well


@dataclass(frozen=True, slots=True)
class _Change:
    """What one transaction writes."""

    actor: Actor
    operations: Sequence[Operation]
    entries: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of a chain, as this process knows it; ``timestamp`` as it is stored."""

    sequence: int
    hash: str
    timestamp: str


class Chains:
    """What this process knows of the chains' heads. Its threads take different chains, other processes start elsewhere."""

    def __init__(self) -> None:
        self.names = chains.names(settings.AUDIT_CHAINS)
        random.shuffle(self.names)
        self.locks = {name: threading.Lock() for name in self.names}
        self.heads: dict[str, Tip] = {}
        self.damaged: set[str] = set()
        self._sorting = threading.Lock()

    def prefer_others(self, chain: str) -> None:
        """Use a chain last from now on: another process is at it, and so each comes to chains of its own."""
        with self._sorting:
            self.names = [name for name in self.names if name != chain] + [chain]


@cache
def known_chains() -> Chains:
    return Chains()


@contextmanager
def _free_chain() -> Iterator[str]:
    view = known_chains()
    usable = [name for name in view.names if name not in view.damaged]
    if not usable:
        raise AuditUnavailable("No chain of the audit trail takes entries; tell the operator to verify it.")
    for name in usable:
        if view.locks[name].acquire(blocking=False):
            break
    else:
        name = usable[0]
        view.locks[name].acquire()
    try:
        yield name
    finally:
        view.locks[name].release()


def _tip(chain: str, *, fresh: bool) -> Tip:
    heads = known_chains().heads
    if fresh or chain not in heads:
        row = _sound_head(chain)
        heads[chain] = (
            Tip(row.sequence, row.hash, row.timestamp) if row else Tip(0, chains.genesis(chain), "")
        )
    return heads[chain]


def _sound_head(chain: str) -> Head | None:
    try:
        head = store.head(chain)
    except RecordForged as error:
        raise ChainDamaged(chain) from error
    if head is not None and not chains.is_sealed(head, ring()):
        raise ChainDamaged(chain)
    return head


def commit(actor: Actor, operations: Sequence[Operation], entries: Sequence[Mapping[str, Any]]) -> None:
    """Write changes, their entries and the head of a chain in one TransactWriteItems.

    Raises:
        AuditUnavailable: the entries could not be written; nothing was changed.
        the ``otherwise`` of the operation whose condition failed; nothing was changed.
    """
    change, attempt = _Change(actor, operations, entries), 0
    while attempt < ATTEMPTS:
        with _free_chain() as chain:
            try:
                if _commit(change, chain, fresh=attempt > 0):
                    return
            except ChainDamaged:
                log.exception("the head of chain %s was changed; other chains take the entries", chain)
                known_chains().damaged.add(chain)
                continue
            known_chains().prefer_others(chain)
        time.sleep(random.uniform(0, 0.004 * 2 ** min(attempt, 6)))  # noqa: S311 - spreads retries, no secret
        attempt += 1
    raise AuditUnavailable("The audit trail is too busy; nothing was changed. Try again.")


def _commit(tx: _Change, chain: str, *, fresh: bool) -> bool:
    """Write on a chain; return False where its head, or another transaction, was in the way."""
    try:
        tip = _tip(chain, fresh=fresh)
        entries = _as_entries(tx, chain, tip)
        _write(tx, tip.sequence, entries)
    except TransactWriteError as error:
        known_chains().heads.pop(chain, None)
        if not _is_worth_retrying(tx, error):
            raise
        return False
    except PynamoDBException as error:
        raise AuditUnavailable(
            "The audit trail cannot be read, so nothing was changed. Try again."
        ) from error
    last = entries[-1]
    known_chains().heads[chain] = Tip(last.sequence, last.hash, clock.as_text(last.timestamp))
    return True


def _as_entries(tx: _Change, chain: str, tip: Tip) -> list[Entry]:
    made: list[Entry] = []
    moment, behind = _moment_after(tip)
    told = behind | tracing.as_detail()
    key, digest = ring().current, tip.hash
    tags = {operation.row.row_name: operation.tag for operation in tx.operations if operation.tag}
    for number, fields in enumerate(tx.entries, tip.sequence + 1):
        entry = Entry(
            chain=chain,
            sequence=number,
            timestamp=moment,
            actor=str(tx.actor),
            source_ip=tx.actor.source_ip,
            via=tx.actor.via or None,
            rows=tags if number == tip.sequence + 1 else {},
            **{**fields, "detail": fields["detail"] | told},
        )
        made.append(chains.as_link(entry, after=digest, key=key))
        digest = made[-1].hash
    return made


def _moment_after(tip: Tip) -> tuple[datetime, dict[str, float]]:
    """Return the time of an entry, never before that of the one before it, and what it says where the clock is behind.

    Clocks of several machines differ by milliseconds, so what is less than a second is not worth a word.
    """
    now = clock.now()
    if clock.as_text(now) >= tip.timestamp:
        return now, {}
    last = clock.from_text(tip.timestamp)
    behind = (last - now).total_seconds()
    if behind < CLOCK_TOLERANCE_SECONDS:
        return last, {}
    log.warning("the clock is %.1f s behind the last entry of its chain", behind)
    return last, {HELD_BACK: round(behind, 3)}


def _write(tx: _Change, sequence: int, entries: list[Entry]) -> None:
    head = HeadTable.of(chains.sealed_head(entries[-1], ring().current))
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
        if code_of(error) in {"TransactionInProgressException", "TransactionConflictException"}:
            return True
        raise AuditUnavailable(
            "The database could not be reached, so nothing was confirmed. Look whether it was done before you try again."
        ) from error
    puts = sum(operation.kind != "update" for operation in tx.operations)
    own = [*reasons[:puts], *reasons[puts + len(tx.entries) + 1 :]]  # entries and head are the last puts
    told = zip(own, _in_request_order(tx.operations), strict=True)
    for reason, operation in sorted(told, key=lambda one: not one[1].first):
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
