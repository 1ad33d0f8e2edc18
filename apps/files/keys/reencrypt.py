"""A file encrypted anew: another quantum key, pool key, file key and body, the same content under the same id.

    reserve a quantum key → decrypt the old body, write the new one → commit record, key uses, the note that the
    old body is given up, and the audit entry together → remove the old body

For what a re-wrapping cannot mend: someone may know a quantum key or the file key itself. As with uploads, every
attempt writes under an object key of its own and the commit decides, so each step may run twice or be interrupted.
"""

from dataclasses import replace
from datetime import timedelta

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Conflict, transaction
from apps.common import clock
from apps.common.dynamodb import feed
from apps.common.errors import Refused
from apps.files import services
from apps.files.bodies import encrypted, objects, orphans
from apps.files.bodies.encrypted import Progress
from apps.files.bodies.objects import ObjectGone, ObjectRef
from apps.files.opening import DAMAGED, FileDamaged, file_key
from apps.files.records import File, FileNotFound, FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.files.uploads import attempts
from apps.files.uploads.pipeline import reserved, sealed
from apps.keys import services as keys
from apps.keys.pools import pool_for
from apps.keys.records import KeyNotFound, PoolKey, Purpose
from apps.sessions import quantum_keys
from apps.sessions.records import Offer, SessionNotFound
from qkdseal import body
from qkdseal.envelope import Envelope, seal
from qkdseal.errors import PackageInvalid
from qkdseal.header import Header
from qkdseal.streams import IteratorSource, Source

_MEANWHILE = "The file was changed by someone else meanwhile."
AT_REST = frozenset({FileStatus.ENCRYPTED, FileStatus.DELETED, FileStatus.ARCHIVED, FileStatus.SUPERSEDED})
CHANGED = (
    "body", "envelope", "suite", "pool_key_id", "quantum_key_id", "encrypted_at", "ciphertext_size",
    "ciphertext_sha256", "plaintext_hmac",
)  # fmt: skip


def reencrypt(file_id: str, *, actor: Actor, progress: Progress | None = None) -> File:
    """Encrypt a file, or an earlier version (``<id>.v<number>``), under keys that are new in every part.

    Args:
        file_id: of the record.
        actor: who acts.
        progress: is told the bytes encrypted so far, now and then.

    Raises:
        FileNotFound: no such file.
        FileNotReady: it is in cold storage or on its way, its key needs a passphrase, or it was changed meanwhile.
        FileDamaged: it does not open with the keys it has; it stays as it is.
        StockEmpty, PoolEmpty: no new key is there right now.
    """
    file = FileTable.find(file_id)
    if file is None:
        raise FileNotFound(f"There is no file {file_id!r}.")
    _check(file)
    plaintext = _opened(file)
    until = clock.now() + timedelta(seconds=quantum_keys.RESERVED_SECONDS)
    pool_key = keys.pick(pool_for(file.owner, Purpose.FILES))
    offered = reserved(file, actor)
    envelope, file_key = _sealed(file, pool_key, offered)
    document_id = file.document_id or file.file_id
    place = ObjectRef(settings.ENCRYPTED_BUCKET, attempts.object_key(document_id, offered.key_id))
    context = envelope.header.digest()
    try:
        with attempts.end_if_cancelled(offered, actor=actor):
            written = encrypted.written(
                file, plaintext, place, file_key=file_key, context=context, until=until, progress=progress
            )
    except PackageInvalid:
        raise FileDamaged(DAMAGED) from None
    done = replace(written, status=file.status, media_type=file.media_type, **sealed(envelope))
    return _committed(file, done, pool_key, actor)


def _check(file: File) -> None:
    if file.status not in AT_REST or not file.storage_class.instant:
        raise FileNotReady(
            f"The file is {file.status} ({file.storage_class}); its body cannot be read now. Recall it first."
        )
    if file.has_passphrase:
        raise FileNotReady("A passphrase is part of the file's key: only who knows it can upload it anew.")


def _opened(file: File) -> Source:
    """The plaintext as a stream, whatever the state of the keys, as long as they open it."""
    try:
        key = file_key(file, moving=True)
        source = objects.opened(ObjectRef.of(file.body))
    except (PackageInvalid, KeyNotFound, SessionNotFound, ObjectGone):
        raise FileDamaged(DAMAGED) from None
    context = Envelope.from_dict(file.envelope).header.digest()
    return IteratorSource(body.decrypt_chunks(source, key=key, context=context))


def _sealed(file: File, pool_key: PoolKey, offered: Offer) -> tuple[Envelope, bytes]:
    return seal(
        Header.of(file_id=file.package_id, quantum_key_id=offered.key_id),
        pool_key_id=pool_key.key_id,
        pool_public_key=pool_key.public_key,
        pool_suite=pool_key.suite,
        quantum_key=offered.key,
    )


def _committed(file: File, done: File, pool_key: PoolKey, actor: Actor) -> File:
    old = ObjectRef.of(file.body)
    unchanged = (
        (FileTable.status == file.status)
        & (FileTable.body == file.body)
        & (FileTable.envelope == file.envelope)
    )
    changes = [getattr(FileTable, name).set(getattr(done, name)) for name in CHANGED]
    try:
        with transaction(actor) as tx:
            tx.update(
                FileTable.of(file),
                [*changes, FileTable.key_feed.set(feed(pool_key.key_id, file.file_id))],
                condition=unchanged,
                otherwise=FileNotReady(_MEANWHILE),
            )
            quantum_keys.use_reserved(tx, str(done.quantum_key_id))
            keys.count_use(tx, pool_key)
            noted: File | None = orphans.note(
                tx, old, document_id=file.package_id, reason="It was encrypted anew."
            )
            tx.audit(
                FileEvent.REENCRYPTED,
                file_id=file.file_id,
                key_id=pool_key.key_id,
                session_id=services.session_of(done.quantum_key_id),
                old_key_id=file.pool_key_id,
                old_quantum_key_id=file.quantum_key_id,
            )
    except Refused as error:
        current = FileTable.find(file.file_id)
        # Where an answer was lost and the SDK asked again, it is this one that was faster
        if current is None or current.body != done.body:
            objects.remove(ObjectRef.of(done.body))
            raise FileNotReady(_MEANWHILE) if isinstance(error, Conflict) else error from None
        noted = orphans.find_note(old)
    if noted is not None:
        orphans.remove(noted)
    return done
