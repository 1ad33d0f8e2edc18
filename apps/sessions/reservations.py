"""Quantum keys that were taken for a commit to come: used by it, or discarded where it never came."""

from collections.abc import Iterable

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.sweeps import each
from apps.sessions import blocks, store
from apps.sessions.records import Offer, QuantumKey, QuantumKeyState, SessionUnusable
from apps.sessions.store import QuantumKeyTable
from apps.sessions.trail import QuantumKeyEvent

RESERVED_SECONDS = 3600  # longer than any upload's encryption


def use_reserved(tx: Transaction, offered: Offer, reserved: QuantumKey) -> None:
    """Use a reserved key, in the transaction of the record that needs it.

    Args:
        tx: in which that happens.
        offered: what was reserved.
        reserved: as ``take`` returned it.

    Raises (at commit):
        SessionUnusable: the reservation has ended, or the session was revoked meanwhile.
    """
    # Between reservation and commit lies a whole upload, in which the session may have been revoked
    blocks.require_open(tx, offered.block)
    tx.update(
        QuantumKeyTable.of(reserved),
        [QuantumKeyTable.state.set(QuantumKeyState.USED), QuantumKeyTable.reserved_feed.remove()],
        condition=QuantumKeyTable.state == QuantumKeyState.RESERVED,
        otherwise=SessionUnusable(f"The reservation of quantum key {reserved.key_id} has ended."),
    )


def stale_reservations() -> list[QuantumKey]:
    """Reservations older than any upload, whose holder never came back."""
    return list(store.reserved_before(clock.ago(RESERVED_SECONDS)))


def discard(reserved: Iterable[QuantumKey], *, actor: Actor) -> int:
    """End reservations: their keys are never used. Returns how many."""

    def end(key: QuantumKey) -> None:
        with transaction(actor) as tx:
            tx.update(
                QuantumKeyTable.of(key),
                [
                    QuantumKeyTable.state.set(QuantumKeyState.DISCARDED),
                    QuantumKeyTable.reserved_feed.remove(),
                ],
                condition=QuantumKeyTable.state == QuantumKeyState.RESERVED,
            )
            tx.audit(QuantumKeyEvent.DISCARDED, session_id=key.session_id, quantum_key_id=key.key_id)

    return each(reserved, end)
