"""Bodies that nothing will ever refer to: noted with what gave them up, then removed.

A note is a row of the files table (status ``leftover``, listed by that only) that names one object key. It is
written before anything is removed, so an interrupted removal is taken up again; and it stays until whoever may
still be writing under that key has ended, so what arrives late is removed as well.
"""

from apps.audit.services import Transaction
from apps.common import clock
from apps.common.sweeps import each
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectRef
from apps.files.records import File, FileStatus
from apps.files.store import FileTable
from apps.sessions import quantum_keys
from apps.sessions.records import QuantumKeyState

_KIND = "leftover"


def note(
    tx: Transaction, body: ObjectRef, *, document_id: str, reason: str, reservation: str | None = None
) -> File:
    """Note in a transaction that what lies under an object key is given up.

    Args:
        tx: makes sure that no record will refer to it, unless ``reservation`` does.
        body: bucket and key; without a version, whatever lies or arrives under the key.
        document_id: whose it would have been.
        reason: for the operator.
        reservation: the quantum key whose discarding makes sure; until then nothing is removed.
    """
    orphan = File(
        file_id=_id_of(body),
        name=body.key,
        document_type=_KIND,
        owner=str(tx.actor),
        status=FileStatus.LEFTOVER,
        uploaded_at=clock.now(),
        document_id=document_id,
        body=body.as_document(),
        quantum_key_id=reservation,
        reason=reason,
    )
    tx.put(FileTable.of(orphan))
    return orphan


def _id_of(body: ObjectRef) -> str:
    return f"{_KIND}.{body.key}" + (f".{body.version}" if body.version else "")


def find_note(body: ObjectRef) -> File | None:
    """The note on a body that was given up, until it is settled."""
    return FileTable.find(_id_of(body))


def remove(note: File) -> int:
    """Remove what lies under a note's key now; returns how many versions."""
    if note.quantum_key_id and not _is_discarded(note.quantum_key_id):
        return 0
    body = ObjectRef.of(note.body)
    given_up = [body] if body.version else objects.versions_of(body.bucket, body.key)
    return each(given_up, objects.remove)


def _is_discarded(quantum_key_id: str) -> bool:
    """Whether a reservation has ended unused: it is read consistently, and never changes again."""
    key = quantum_keys.find_taken(quantum_key_id)
    return key is not None and key.state is QuantumKeyState.DISCARDED
