"""The end of a deleted document: its keys are destroyed, then its bodies removed (crypto-shredding).

    deleted → (until ``shred_after``, or asked for before) → shredding → shredded

The envelope holds the only copy of what the file key is derived from with the pool key: without the KEM ciphertext
nobody can derive it again, whatever pool and quantum keys there are. So from the first commit on every copy of the
body is noise, also one that the storage keeps. Backups of the tables hold the envelope as long as they are kept.
"""

from dataclasses import replace
from typing import Any, TypeVar

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.sweeps import each
from apps.files import changes, services, store
from apps.files.bodies import objects
from apps.files.bodies.objects import BODIES_PREFIX, CLIENT_BODIES_PREFIX
from apps.files.life import versions
from apps.files.records import Document, Version
from apps.files.states import FileStatus
from apps.files.trail import FileEvent
from apps.files.traits import as_shredded

NAMELESS = "(shredded)"
FileT = TypeVar("FileT", Document, Version)


def shred_due(*, actor: Actor) -> int:
    """Shred every document whose time to be restored has ended; returns how many. The sweep's part."""
    return each(list(store.due_for_shredding(clock.now())), lambda document: _shred(document, actor))


def shred(file_id: str, *, reason: str, actor: Actor) -> Document:
    """Shred a deleted document now, though it could still be restored. What is interrupted, the sweep finishes.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not deleted.
    """
    document = services.find_document(file_id, actor=actor, to="shred")
    return _shred(replace(document, shred_after=clock.now()), actor, reason=reason)


def _shred(document: Document, actor: Actor, *, reason: str | None = None) -> Document:
    """Each step finds what an interrupted one left. The first one decides: afterwards nothing can be restored."""
    if document.status is FileStatus.DELETED:
        document = _destroy_keys(document, FileStatus.SHREDDING, actor, reason)
    for row in versions.contents(document.file_id):
        if isinstance(row, Version) and row.status is FileStatus.SUPERSEDED:
            _destroy_keys(row, FileStatus.SHREDDED, actor)
    for prefix in (BODIES_PREFIX, CLIENT_BODIES_PREFIX):
        # A time to come: whatever the clock of the storage says, all of them
        bodies = objects.versions_before(
            settings.ENCRYPTED_BUCKET, clock.ago(-3600), prefix=f"{prefix}{document.file_id}/"
        )
        each(bodies, objects.remove)
    done = replace(document, status=FileStatus.SHREDDED, shred_after=None)
    with transaction(actor) as tx:
        shredded = changes.change(tx, document, done)
        tx.audit(FileEvent.SHREDDED, file_id=document.file_id, phase="bodies removed")
    return shredded


def _destroy_keys(file: FileT, status: Any, actor: Actor, reason: str | None = None) -> FileT:
    """Destroy the envelope, and all else that the record says of the content."""
    bare = replace(as_shredded(file, text=NAMELESS), status=status)
    with transaction(actor) as tx:
        bare = changes.change(tx, file, bare)
        tx.audit(
            FileEvent.SHREDDED,
            file_id=file.file_id,
            key_id=file.pool_key_id,
            session_id=services.session_of(file.quantum_key_id),
            phase="keys destroyed",
            reason=reason,
        )
    return bare
