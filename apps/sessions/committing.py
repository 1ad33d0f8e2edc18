"""Offered quantum keys are taken, in a transaction of whoever needs them: each once (I3)."""

from collections.abc import Iterable, Sequence

from pynamodb.expressions.update import Action

from apps.audit.services import Transaction
from apps.common import clock
from apps.sessions import blocks, finals
from apps.sessions.records import KeyPurpose, Offer, QuantumKey, QuantumKeyState, SessionStatus
from apps.sessions.store import KeyBlockTable, QuantumKeyTable, SessionTable


class KeyTaken(Exception):
    """Two asked for the same quantum key; this one was second. Nothing was changed."""


def take(
    tx: Transaction,
    offered: Offer,
    *,
    purpose: KeyPurpose,
    subject: str,
    state: QuantumKeyState = QuantumKeyState.USED,
    sealed_by: str | None = None,
) -> QuantumKey:
    """Take the offered key in a transaction: exactly one taker succeeds (I3).

    The session's time to live ends with its first taken key (I5): what needs it has no expiry. No row is written that
    another process writes, but when a lease begins, and the session's with the last key of a block.

    Args:
        tx: in which that happens.
        offered: what is taken.
        purpose: what for.
        subject: the message, or the file.
        state: used, or reserved for a commit to come.
        sealed_by: of a message, and of nothing else, the pool key that its package is sealed to.

    Returns:
        the key as it is once that is committed.

    Raises:
        ValueError: a message without its pool key, which would be forgotten when that key's end is decided.

    Raises (at commit):
        KeyTaken: the block is leased by another process now, or closed; ask for another offer.
        SessionUnusable: the session is no longer as it was read.
    """
    if (purpose is KeyPurpose.MESSAGE) is (sealed_by is None):
        raise ValueError("A message, and nothing else, names the pool key that it is sealed to.")
    if offered.more:
        raise ValueError("Several pieces are taken by take_together.")
    (taken,) = _take(tx, offered, purpose=purpose, subject=subject, state=state, sealed_by=sealed_by)
    _move_on(tx, [offered])
    return taken


def take_together(
    tx: Transaction, offers: Sequence[Offer], *, purpose: KeyPurpose, subject: str
) -> list[QuantumKey]:
    """Take every piece of some offers in a transaction, each of another block: all are taken, or none is (I3).

    Raises (at commit):
        KeyTaken, SessionUnusable: as ``take``, of any of them.
    """
    taken = [key for one in offers for key in _take(tx, one, purpose=purpose, subject=subject)]
    _move_on(tx, offers)
    return taken


def operations_of(offers: Iterable[Offer]) -> int:
    """How many rows ``take_together`` writes at most: a transaction holds a hundred."""
    found = list(offers)
    kept = {one.session_id for one in found if one.keeps or one.is_last}
    return sum(one.count for one in found) + len(found) + 2 * len(kept)


def _take(
    tx: Transaction,
    offered: Offer,
    *,
    purpose: KeyPurpose,
    subject: str,
    state: QuantumKeyState = QuantumKeyState.USED,
    sealed_by: str | None = None,
) -> list[QuantumKey]:
    """Write the row of each piece."""
    moment = clock.now()
    rows = [
        QuantumKeyTable.of(
            QuantumKey(
                key_id=key_id,
                session_id=offered.session_id,
                number=int(key_id.rpartition(".")[2]),
                state=state,
                purpose=purpose,
                subject=subject,
                taken_by=str(tx.actor),
                taken_at=moment,
                sealed_by=sealed_by,
            )
        )
        for key_id, _ in offered.pieces
    ]
    for row in rows:
        tx.put(row, otherwise=KeyTaken(f"Quantum key {row.key} is taken."))
    return [row.record() for row in rows]


def _move_on(tx: Transaction, offers: Sequence[Offer]) -> None:
    """Move blocks on, end the time to live of sessions that give their first key, count the blocks that are used up."""
    by_session = {
        one.session_id: [other for other in offers if other.session_id == one.session_id] for one in offers
    }
    # First, so that it is told where a revocation removed it: a block that was closed as well says less
    for session_id, of_it in by_session.items():
        keeping = next((one for one in of_it if one.keeps), None)
        if keeping is not None:
            finals.keep_for_good(tx, session_id, tag=keeping.final_tag)
    for one in offers:
        _advance(tx, one)
    for session_id, of_it in by_session.items():
        keeps = any(one.keeps for one in of_it)
        changes: list[Action] = [SessionTable.ttl.remove()] if keeps else []
        used_up = sum(int(one.block.size) for one in of_it if one.is_last)
        if used_up:  # the session's row is everybody's: written once a block
            changes.append(SessionTable.keys_taken.add(used_up))
        if changes:
            tx.update(
                SessionTable(session_id=session_id, tag=of_it[0].session_tag),
                changes,
                condition=SessionTable.status == SessionStatus.READY,
                otherwise=blocks.no_longer_ready(session_id),
            )


def _advance(tx: Transaction, offered: Offer) -> None:
    """Move a block's next number on, and begin or renew the lease where that is due."""
    table, block = KeyBlockTable, offered.block
    actions: list[Action] = [table.next.set(offered.number + offered.count)]
    if offered.until is not None:
        left = int(block.end - offered.number - offered.count)
        actions += [table.lease.set(offered.lease), table.until.set(offered.until), table.left.set(left)]
        actions.append(table.ttl.remove())
    if offered.is_last:
        actions.append(table.stock_feed.remove())
    tx.update(
        table.of(block),
        actions,
        condition=(table.lease == block.lease) & (table.next == offered.number),
        otherwise=KeyTaken(f"The lease of quantum key {offered.key_id} has ended."),
    )
