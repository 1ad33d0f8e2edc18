"""Re-encrypt a file: another quantum key, pool key, file key and body, the same content under the same id.

    reserve a quantum key → decrypt the old body, write the new one → commit record, key uses, the note that the
    old body is given up, and the audit entry together → remove the old body

For what a re-wrapping cannot mend: someone may know a quantum key or the file key itself. As with uploads, every
attempt writes under an object key of its own and the commit decides, so each step may run twice or be interrupted.
"""

from dataclasses import asdict, replace

from apps.audit.records import Actor
from apps.audit.services import Conflict, record, transaction
from apps.common import clock
from apps.common.errors import Refused
from apps.files import changes, services, store
from apps.files.bodies import encrypted, objects, orphans
from apps.files.bodies.encrypted import Progress
from apps.files.bodies.objects import ObjectGone, ObjectRef
from apps.files.bodies.reader import stream
from apps.files.opening import DAMAGED, FileDamaged, file_key
from apps.files.records import Document, FileNotFound, Upload, Version
from apps.files.states import AT_REST, FileNotReady, as_words
from apps.files.trail import FileEvent
from apps.files.traits import COPIED, fields_with
from apps.files.uploads import attempts
from apps.files.uploads.attempts import Attempt
from apps.keys.records import KeyNotFound, KeyUnusable
from apps.sessions.records import SessionNotFound
from qkdseal import body
from qkdseal.envelope import Envelope
from qkdseal.errors import PackageInvalid
from qkdseal.streams import IteratorSource, Source


def reencrypt(file_id: str, *, actor: Actor, progress: Progress | None = None) -> Document | Version:
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
        KeyUnusable: what was sealed to the new pool key does not open; the file stays as it is.
    """
    file = _find(file_id)
    record(actor, FileEvent.REENCRYPTING, file_id=file_id, key_id=file.pool_key_id)
    plaintext = _open(file)
    attempt = attempts.begin(
        document_id=file.document_id, file_id=file.file_id, owner=file.owner, actor=actor
    )
    envelope, new_key = attempt.seal(file.package_id)
    try:
        with attempt.end_if_cancelled(actor=actor):
            written = encrypted.write(
                plaintext,
                attempt.place,
                name=file.name,
                file_key=new_key,
                header=envelope.header,
                until=attempt.until,
                storage_class=file.storage_class,
                progress=progress,
            )
    except PackageInvalid:
        raise FileDamaged(DAMAGED) from None
    try:
        attempt.check_opens(envelope, file_key=new_key)
    except KeyUnusable:
        attempt.give_up(actor=actor)
        raise
    new = asdict(written) | attempts.as_fields(envelope) | {"encrypted_at": clock.now()}
    done = replace(file, **{name: new[name] for name in fields_with(type(file), COPIED, without=True)})
    return _commit(file, done, attempt, actor)


def _find(file_id: str) -> Document | Version:
    """A file whose body can be read now, with the platform's keys alone."""
    file = store.find_file(file_id)
    if file is None:
        raise FileNotFound(f"There is no file {file_id!r}.")
    if isinstance(file, Upload) or file.status not in AT_REST:
        raise FileNotReady(
            f"Only an encrypted file can be re-encrypted; this one is {as_words(file.status)}."
        )
    if not file.storage_class.instant:
        raise FileNotReady(
            f"The file's body lies in {file.storage_class}. Recall the file, then re-encrypt it."
        )
    if file.has_passphrase:
        raise FileNotReady(
            "A passphrase protects this file, so the platform cannot re-encrypt it. Its owner must upload it again."
        )
    return file


def _open(file: Document | Version) -> Source:
    """The plaintext as a stream, whatever the state of the keys, as long as they open it."""
    try:
        key = file_key(file, moving=True)
        source = stream(ObjectRef.of(file.body))
    except (PackageInvalid, KeyNotFound, SessionNotFound, ObjectGone):
        raise FileDamaged(DAMAGED) from None
    context = Envelope.from_dict(file.envelope).header.digest()
    return IteratorSource(body.decrypt_chunks(source, key=key, context=context))


def _commit(
    file: Document | Version, done: Document | Version, attempt: Attempt, actor: Actor
) -> Document | Version:
    # Whatever lies under its key, also what a repeated write left there
    old = replace(ObjectRef.of(file.body), version="")
    try:
        with transaction(actor) as tx:
            done = changes.change(tx, file, done, otherwise=FileNotReady(services.CHANGED))
            attempt.use(tx)
            # In the same transaction: from here on nothing else names the old body
            orphan = orphans.note(tx, old, document_id=file.package_id, reason="It was re-encrypted.")
            tx.audit(
                FileEvent.REENCRYPTED,
                file_id=file.file_id,
                key_id=done.pool_key_id,
                session_id=services.session_of(done.quantum_key_id),
                old_key_id=file.pool_key_id,
                old_quantum_key_id=file.quantum_key_id,
            )
    except Refused as error:
        current = store.find_file(file.file_id)
        # Where an answer was lost and the SDK asked again, it is this one that was faster
        if current is None or current.body != done.body:
            attempt.give_up(actor=actor)
            raise FileNotReady(services.CHANGED) if isinstance(error, Conflict) else error from None
        found = orphans.find_note(old)
        if found is None:  # the sweep has settled it already
            return done
        orphan = found
    orphans.remove(orphan)
    objects.remove_others(ObjectRef.of(done.body))
    return done
