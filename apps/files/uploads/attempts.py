"""One attempt to encrypt a file: it has a quantum key of its own, and that names the object key of its body."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.files.bodies import orphans
from apps.files.bodies.objects import BODIES_PREFIX, ObjectRef
from apps.files.trail import FileEvent
from apps.jobs.control import JobCancelled
from apps.sessions import quantum_keys
from apps.sessions.records import Offer, QuantumKey


def object_key(document_id: str, quantum_key_id: str) -> str:
    """The object key under which one attempt writes its body: no other attempt has its quantum key."""
    return f"{BODIES_PREFIX}{document_id}/{quantum_key_id}"


@contextmanager
def end_if_cancelled(offered: Offer, *, actor: Actor) -> Iterator[None]:
    """End the attempt where its job is cancelled within the block. Whatever else fails is left to the sweep."""
    try:
        yield
    except JobCancelled:
        reserved = quantum_keys.find_taken(offered.key_id)
        if reserved is not None:
            end(reserved, reason="The job that wrote it was cancelled.", actor=actor)
        raise


def end(
    reserved: QuantumKey, *, actor: Actor, reason: str = "The attempt that wrote it did not come back."
) -> None:
    """End an attempt: from here on it cannot commit, and its body is removed."""
    body = ObjectRef(settings.ENCRYPTED_BUCKET, object_key(reserved.subject, reserved.key_id))
    note = orphans.find_note(body)
    if note is None:
        with transaction(actor) as tx:
            note = orphans.note(
                tx, body, document_id=reserved.subject, reason=reason, reservation=reserved.key_id
            )
            tx.audit(FileEvent.BODY_REMOVED, file_id=reserved.subject, phase="begun", keys=[body.key])
    quantum_keys.discard([reserved], actor=actor)
    orphans.remove(note)
