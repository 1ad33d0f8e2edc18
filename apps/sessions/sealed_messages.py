"""Messages that were sealed: which there are, and which need a pool key, whose end is decided knowing that."""

from collections.abc import Iterable
from dataclasses import replace

from apps.audit.services import Transaction
from apps.common.dynamodb import Page, Position
from apps.sessions import store
from apps.sessions.quantum_keys import find_taken
from apps.sessions.records import QuantumKey
from apps.sessions.store import QuantumKeyTable

COUNTED = 1_000_000  # messages, by 250 Queries


def seal_to(tx: Transaction, taken: QuantumKey, *, index: int | None, sealed_by: str) -> None:
    """Note in a transaction that a message is sealed to another pool key now, so that its end is decided knowing that.

    Args:
        tx: in which that happens.
        taken: the message's quantum key, or its batch's.
        index: of the message in its batch, whose other messages stay where they are; None for one alone.
        sealed_by: the pool key.
    """
    found = taken if index is None else find_taken(f"{taken.key_id}/{index}")
    if found is None:
        key_id, subject = f"{taken.key_id}/{index}", f"{taken.subject}/{index}"
        made = replace(taken, key_id=key_id, subject=subject, sealed_by=sealed_by, tag="")
        tx.put(QuantumKeyTable.of(made))
        return
    moved = QuantumKeyTable.index_keys(replace(found, sealed_by=sealed_by))
    tx.update(
        QuantumKeyTable.of(found),
        [QuantumKeyTable.sealed_by.set(sealed_by), QuantumKeyTable.sealed_feed.set(moved["sealed_feed"])],
    )


def messages(*, limit: int, position: Position | None = None, sealer: str | None = None) -> Page[QuantumKey]:
    """The quantum keys of all messages, or of those that one principal sealed, newest first."""
    return store.messages_page(limit=limit, position=position, sealer=sealer)


def keys_named(rows: Iterable[str]) -> list[str]:
    """The ids of the quantum keys among rows that an audit entry names."""
    prefix = f"{QuantumKeyTable.short_name()}/"
    return [row.removeprefix(prefix) for row in rows if row.startswith(prefix)]


def messages_sealed_by(pool_key_id: str, *, limit: int, position: Position | None = None) -> Page[QuantumKey]:
    """The quantum keys of the messages that need a pool key, newest first; ``subject`` is the message."""
    return store.sealed_page(pool_key_id, limit=limit, position=position)


def count_messages_sealed_by(pool_key_id: str, *, limit: int = COUNTED) -> int:
    """How many messages need a pool key, counted up to a limit: nobody can re-wrap packages that are kept elsewhere."""
    return store.sealed_count(pool_key_id, limit=limit)
