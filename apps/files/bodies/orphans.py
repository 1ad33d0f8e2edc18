"""Bodies that nothing will ever refer to: noted with what gave them up, then removed.

An orphan is a row of the files table, listed as such only, that names one object key. It is written before anything
is removed, so an interrupted removal is taken up again; and it stays until whoever may still be writing under that
key has ended, so what arrives late is removed as well.
"""

from apps.audit.services import Transaction
from apps.common import clock
from apps.files import changes, store
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectRef
from apps.files.records import Orphan
from apps.sessions import quantum_keys
from apps.sessions.records import QuantumKeyState


def note(
    tx: Transaction, body: ObjectRef, *, document_id: str, reason: str, reservation: str | None = None
) -> Orphan:
    """Note in a transaction that what lies under an object key is given up.

    Args:
        tx: makes sure that no record will refer to it, unless ``reservation`` does.
        body: bucket and key; without a version, whatever lies or arrives under the key.
        document_id: whose it would have been.
        reason: for the operator.
        reservation: the quantum key whose discarding makes sure; until then nothing is removed.
    """
    orphan = Orphan(
        file_id=_id_of(body),
        owner=str(tx.actor),
        noted_at=clock.now(),
        document_id=document_id,
        body=body.as_document(),
        reservation=reservation,
        reason=reason,
    )
    return changes.put(tx, orphan)


def _id_of(body: ObjectRef) -> str:
    return f"orphan.{body.key}" + (f".{body.version}" if body.version else "")


def find_note(body: ObjectRef) -> Orphan | None:
    """The note on a body that was given up, until it is settled."""
    return store.find_orphan(_id_of(body))


def remove(orphan: Orphan) -> int:
    """Remove what lies under an orphan's key now; returns how many versions."""
    # An attempt may still commit while its quantum key is reserved: its body is no orphan then
    if orphan.reservation and not _is_discarded(orphan.reservation):
        return 0
    body = ObjectRef.of(orphan.body)
    if not body.version:
        return objects.remove_all(body.bucket, body.key)
    objects.remove(body)
    return 1


def _is_discarded(quantum_key_id: str) -> bool:
    """Return whether a reservation has ended unused: it is read consistently, and never changes again."""
    key = quantum_keys.find_taken(quantum_key_id)
    return key is not None and key.state is QuantumKeyState.DISCARDED
