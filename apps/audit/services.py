"""The only way to change a record: together with its audit entry, in one transaction (I1).

    with transaction(actor) as tx:
        tx.update(row, [...], condition=..., otherwise=IllegalTransition(...))
        tx.audit(PoolKeyEvent.REVOKED, key_id=...)

Nothing is written before the block ends; if anything fails, nothing is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from apps.audit import archive, store, tagging, writing
from apps.audit.chain_keys import ring
from apps.audit.records import Actor, Entry, Event, Head, Outcome
from apps.audit.store import ARCHIVE, ArchiveTable, EntryTable
from apps.audit.trail import AuditEvent
from apps.audit.writing import Operation, Otherwise
from apps.common import preconditions
from apps.common.dynamodb import Page, Position, Span, Table, sort_key
from apps.common.errors import Refused
from apps.metrics import recording

MAX_OPERATIONS = 100  # of one TransactWriteItems, entries and head included
SIFTED, SIFTED_TOGETHER = (
    1000,
    100,
)  # entries that a page of a filter without an index reads, and a Query of it


class Conflict(Refused):
    """A record was not in the state that the operation needs; nothing was changed."""


@dataclass(slots=True)
class Transaction:
    """Changes and their entries, collected; committed by :func:`transaction`."""

    actor: Actor
    operations: list[Operation] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def put(self, row: Table[Any], *, otherwise: Otherwise | None = None, first: bool = False) -> None:
        """Write a row that must not exist yet.

        Args:
            row: that is written.
            otherwise: what is raised where there is such a row.
            first: raise that, whatever other conditions fail as well.
        """
        self._add("put", row, row.absent(), otherwise, tag=tagging.tag_row(row), first=first)

    def replace(
        self, row: Table[Any], *, condition: Condition | None = None, otherwise: Otherwise | None = None
    ) -> None:
        """Write a whole row over the one whose record it was made from, which must be unchanged since.

        Raises:
            ValueError: a tagged row whose record was not read.
        """
        condition = tagging.unchanged(row, condition)
        self._add("put", row, condition, otherwise, tag=tagging.tag_row(row))

    def update(
        self,
        row: Table[Any],
        actions: Sequence[Action],
        *,
        condition: Condition | None = None,
        otherwise: Otherwise | None = None,
    ) -> None:
        """Change a row, as it was read, that must be unchanged since and meet ``condition``.

        Of a tagged row only what its tag covers has to be unchanged, so that counters can be added to by many.

        Raises:
            ValueError: a tagged row whose record was not read.
        """
        tag = tagging.tag_after(row, actions)
        if tag:
            actions = [*actions, Table.tag.set(tag)]
        self._add("update", row, tagging.unchanged(row, condition), otherwise, actions, tag=tag)

    def delete(
        self, row: Table[Any], *, condition: Condition | None = None, otherwise: Otherwise | None = None
    ) -> None:
        """Remove a row that must be as it was read, and meet ``condition``.

        A row given by its key alone is removed whatever it holds, and may also be absent.
        """
        same = (
            tagging.unchanged(row, condition)
            if row.tag or (not row.is_tagged() and condition is not None)
            else condition
        )
        self._add("delete", row, same, otherwise, tag=tagging.tombstone(row))

    def require(self, row: Table[Any], *, condition: Condition | None = None, otherwise: Otherwise) -> None:
        """Change nothing in a row, which must be unchanged since it was read and meet ``condition``."""
        self._add("check", row, tagging.unchanged(row, condition), otherwise)

    def require_absent(self, row: Table[Any], *, otherwise: Otherwise) -> None:
        """Demand that there is no row of this key; ``otherwise`` is raised whatever other conditions fail as well."""
        self._add("check", row, row.absent(), otherwise, first=True)

    def _add(
        self,
        kind: str,
        row: Table[Any],
        condition: Condition | None,
        otherwise: Otherwise | None,
        actions: Sequence[Action] = (),
        *,
        tag: str = "",
        first: bool = False,
    ) -> None:
        failure = otherwise or Conflict(
            "The record was changed by someone else meanwhile. Read it again, then retry."
        )
        self.operations.append(Operation(kind, row, condition, failure, list(actions), tag, first))

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
    if tx.operations:
        preconditions.check_met()
    if len(tx.operations) + len(tx.entries) + 1 > MAX_OPERATIONS:
        raise ValueError(f"A transaction holds at most {MAX_OPERATIONS} operations.")
    writing.commit(tx.actor, tx.operations, tx.entries)
    preconditions.committed()
    recording.record_entries(tx.entries)


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


def entries_page(
    *,
    limit: int,
    position: Position | None = None,
    by: str | None = None,
    value: str = "",
    span: Span | None = None,
) -> Page[Entry]:
    """Read a page of all entries, or of those of one ``actor``, ``key``, ``session``, ``file`` or ``approval``, newest first.

    Of a span of time, those in it, by the same Query.
    """
    return store.entries_page(limit=limit, position=position, by=by, value=value, span=span)


def sifted_page(
    *,
    limit: int,
    position: Position | None = None,
    event: str | None = None,
    outcome: str | None = None,
    request_id: str | None = None,
    **which: Any,
) -> Page[Entry]:
    """Read a page as ``entries_page``, of which only entries of an event, an outcome, or one request are left.

    There is no index of these, as it would add a write to every entry: at most SIFTED entries are read a page, so that
    it may hold fewer than asked for, or none, though there are older ones.
    """
    if event is None and outcome is None and request_id is None:
        return entries_page(limit=limit, position=position, **which)
    found: list[Entry] = []
    left_out: tuple[str, ...] = ()
    for _ in range(SIFTED // SIFTED_TOGETHER):
        read = entries_page(limit=SIFTED_TOGETHER, position=position, **which)
        left_out += read.left_out
        for entry in read.records:
            is_of_request = request_id in {None, entry.detail.get("request_id")}
            if is_of_request and event in {None, entry.event} and outcome in {None, entry.outcome}:
                found.append(entry)
                if len(found) == limit:
                    identifier = f"{entry.chain}-{entry.sequence:012d}"
                    return Page(found, older=sort_key(entry.timestamp, identifier), left_out=left_out)
        if read.older is None:
            return Page(found, left_out=left_out)
        position = Position(read.older)
    return Page(found, older=None if position is None else position.sort, left_out=left_out)


def find_entry(chain: str, sequence: int) -> Entry | None:
    """Read one entry, also one that was archived; return None where there is none.

    Raises:
        CheckpointsUnavailable: it is archived, and the bucket does not answer.
    """
    found = EntryTable.find(chain, sequence)
    if found is not None:
        return found
    row = ArchiveTable.find(ARCHIVE, chain)
    item = archive.find(chain, sequence, ring()) if row is not None and sequence <= row.through else None
    return EntryTable.from_raw_data(dict(item)).record() if item else None


def heads() -> list[Head]:
    """Read where every chain ends."""
    return store.heads()


def entries_after(chain: str, sequence: float, *, limit: int) -> list[Entry]:
    """Read the entries of a chain that follow a number, in order, consistently; what is none is left out."""
    return list(islice(store.walk_whole(chain, after=sequence), limit))


def entry_of_image(image: Mapping[str, Any]) -> Entry:
    """Return the entry of a row as the table's stream brings it.

    Raises:
        RecordForged: nothing can be made of it.
    """
    return store.entry_of_image(dict(image))
