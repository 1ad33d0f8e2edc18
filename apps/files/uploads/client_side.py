"""Files that the client encrypts and decrypts itself: the platform gives out the file's key, and never sees plaintext.

The key is one file's, made from a pool key and a quantum key as for any other file, so rotation, deletion and the
audit trail are the same. Who has once been given it can read that one body for good.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.conf import settings

from apps.access.records import Right
from apps.audit.records import Actor, Outcome
from apps.audit.services import record, transaction
from apps.common import clock
from apps.common.errors import Invalid, PlatformError
from apps.common.idempotency import Replayed, keep
from apps.files import changes, services
from apps.files.bodies import digests, objects
from apps.files.bodies.objects import CLIENT_BODIES_PREFIX, ObjectGone, ObjectRef
from apps.files.opening import DAMAGED, FileDamaged, FileKey, file_key
from apps.files.records import DEFAULT_DOCUMENT_TYPE, UNKNOWN_TYPE, DigestBy, Document, File, Named, Upload
from apps.files.states import FileNotReady, FileStatus, as_words
from apps.files.trail import FileEvent
from apps.files.traits import traits_of, values
from apps.files.uploads import attempts, repeated
from apps.files.uploads.announce import (
    Target,
    UploadMethod,
    begin_parts,
    end_parts,
    target_again,
    target_of,
    upload_of,
    with_digest,
)
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.keys import pools
from apps.keys import services as keys
from apps.keys.pool_records import Purpose
from apps.keys.records import PoolKey
from apps.sessions import committing
from apps.sessions.records import KeyPurpose, Offer, StockChoice
from apps.sessions.taking import take_key
from qkdseal import body
from qkdseal.envelope import Envelope, seal
from qkdseal.errors import PackageInvalid
from qkdseal.header import Header, PassphraseFactor


def announce(
    *,
    name: str,
    actor: Actor,
    method: UploadMethod = UploadMethod.PUT,
    document_type: str = DEFAULT_DOCUMENT_TYPE,
    media_type: str = UNKNOWN_TYPE,
    attributes: dict[str, Any] | None = None,
    source_path: str | None = None,
    expires_at: datetime | None = None,
    passphrase: str | None = None,
    pool: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
    upload_id: str | None = None,
) -> tuple[Target, FileKey]:
    """Announce a file that the client encrypts: its key, and where the body goes.

    ``pool`` is the name or alias of the key pool to seal to; without it, the actor's, else that of files.
    ``stock`` says whose sessions give the quantum key. With an ``upload_id`` of the client's the same request may be
    sent again: it finds the same file, and is given the same key.

    Raises:
        UploadIdUsed: something else was announced under this ``upload_id``.
        StockEmpty, PoolEmpty: nothing to encrypt with right now.
        SessionUnusable: none of the actor's own sessions has a quantum key.
        PoolNotFound, Forbidden: the named pool is none that the actor may seal files to.
        Invalid: the passphrase is impossible, or the method is a form.
    """
    if method is UploadMethod.POST:
        raise Invalid.of("method", "put, put-with-headers or multipart, where the client encrypts")
    described: dict[str, Any] = {
        "document_type": document_type,
        "media_type": media_type,
        "attributes": attributes or {},
        "source_path": source_path,
        "expires_at": expires_at,
    }
    upload = upload_of(name=name, actor=actor, upload_id=upload_id, **described)
    place = ObjectRef(settings.ENCRYPTED_BUCKET, f"{CLIENT_BODIES_PREFIX}{upload.file_id}/{uuid.uuid4()}")
    upload = replace(upload, status=FileStatus.AWAITING_BODY, source={}, body=place.as_document())
    upload = with_digest(upload, method, passphrase, upload_id)
    there = repeated.find(upload, passphrase)
    if there is not None:
        return target_again(there, method), _release_again(there, passphrase, actor)
    return _announce(upload, passphrase, method, actor=actor, pool=pool, stock=stock)


def _announce(
    upload: Upload,
    passphrase: str | None,
    method: UploadMethod,
    *,
    actor: Actor,
    pool: str | None,
    stock: StockChoice,
) -> tuple[Target, FileKey]:
    # Once: S3 keeps each multipart upload open until it is aborted
    made = begin_parts(upload, method)
    try:
        made, secret = take_key(
            lambda offered: _release(made, offered, passphrase, method, actor=actor, pool=pool),
            actor=actor,
            owner=stock.owner_for(actor),
        )
    except Replayed:  # the same request, with its Idempotency-Key, was faster
        end_parts(made)
        raise
    except PlatformError:
        # The client has neither key nor id, even where only the commit's answer was lost; unless it chose the id
        there = repeated.find(upload, passphrase)
        if there is None or getattr(there, "parts", None) != made.parts:
            end_parts(made)
        if there is None:
            raise
        return target_again(there, method), _release_again(there, passphrase, actor)
    return target_of(made, method), secret


def announced(
    file_id: str, *, method: UploadMethod, passphrase: str | None, actor: Actor
) -> tuple[Target, FileKey]:
    """Where the body goes of a file that was announced before, and its key.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it was given up.
    """
    file = services.find(file_id, actor=actor, right=Right.WRITE)
    return target_again(file, method), _release_again(file, passphrase, actor)


def _release_again(file: File, passphrase: str | None, actor: Actor) -> FileKey:
    """Give out the key of a file that was announced by the same request; the audit entry is written first (I1)."""
    session_id = services.session_of(file.quantum_key_id)
    subject = {"file_id": file.file_id, "key_id": file.pool_key_id, "session_id": session_id}
    if not file.envelope:
        raise FileNotReady(
            f"The upload that this request announced is {as_words(file.status)}. "
            "Send it under another upload_id or Idempotency-Key."
        )
    record(actor, FileEvent.KEY_RELEASED, **subject, purpose="encrypt", again=True)
    try:
        key = file_key(file, passphrase=passphrase)
    except PackageInvalid:
        raise FileDamaged(DAMAGED) from None
    header = Envelope.from_dict(file.envelope).header
    return FileKey(file, key, header.digest(), header.body.value)


def _release(
    upload: Upload,
    offered: Offer,
    passphrase: str | None,
    method: UploadMethod,
    *,
    actor: Actor,
    pool: str | None,
) -> tuple[Upload, FileKey]:
    """Seal a file key with an offered quantum key, and give it out with the commit of its record."""
    chosen = pools.select(Purpose.FILES, owner=upload.owner, actor=actor, named=pool)
    pool_key = keys.pick(chosen.name)
    envelope, key = _seal(upload, offered, pool_key, passphrase)
    upload = replace(upload, **attempts.as_fields(envelope))
    with transaction(actor) as tx:
        keep(tx, "local upload", file_id=upload.file_id, method=method.value)
        upload = changes.put(tx, upload)
        # Used, not reserved: its file key leaves the platform
        committing.take(tx, offered, purpose=KeyPurpose.FILE, subject=upload.file_id)
        keys.count_use(tx, pool_key)
        tx.audit(
            FileEvent.KEY_RELEASED,
            file_id=upload.file_id,
            key_id=pool_key.key_id,
            session_id=offered.session_id,
            purpose="encrypt",
        )
    header = envelope.header
    return upload, FileKey(upload, key, header.digest(), header.body.value)


def _seal(
    upload: Upload, offered: Offer, pool_key: PoolKey, passphrase: str | None
) -> tuple[Envelope, bytes]:
    factor = None if passphrase is None else PassphraseFactor()
    header = Header.of(file_id=upload.package_id, quantum_key_id=offered.key_id, passphrase=factor)
    try:
        return seal(
            header,
            pool_key_id=pool_key.key_id,
            pool_public_key=pool_key.public_key,
            pool_suite=pool_key.suite,
            quantum_key=offered.key,
            passphrase=passphrase,
        )
    except ValueError as error:
        raise Invalid.of("passphrase", str(error)) from None


def finish(
    file_id: str,
    *,
    actor: Actor,
    sha256: str | None = None,
    passphrase: str | None = None,
    later: Callable[[Document], Job] | None = None,
) -> Document:
    """Acknowledge a body that the client has uploaded: its commitment and its end are checked. Idempotent.

    Args:
        file_id: announced here.
        actor: its owner.
        sha256: of the plaintext in hex, as the client computed it; kept sealed.
        passphrase: where one is part of the key.
        later: the job that reads the body to its end, recorded with the file; none where a passphrase forbids it.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: nothing has been uploaded, or the client does not encrypt this file.
        Invalid: what was uploaded is not a body under this file's key.
    """
    file = services.find(file_id, actor=actor, right=Right.WRITE)
    if isinstance(file, Document) and file.status is FileStatus.ENCRYPTED and not file.source:
        objects.remove_others(ObjectRef.of(file.body))
        return file
    upload, stored = _arrived(file)
    try:
        checked = _check_body(upload, stored, passphrase)
    except Invalid as error:
        record(actor, FileEvent.UNFINISHED, outcome=Outcome.FAILED, file_id=file_id, reason=error.detail)
        raise
    document = _document_of(upload, stored, checked, sha256)
    job = None if later is None or document.has_passphrase else later(document)
    document, job = _commit(upload, document, job, actor)
    if job is not None:
        jobs.dispatch(job)
    objects.remove_others(stored)
    return document


def _arrived(file: File) -> tuple[Upload, ObjectRef]:
    """The upload, and its body as it was stored last.

    Raises:
        FileNotReady: nothing has been uploaded, or the client does not encrypt this file.
    """
    if not isinstance(file, Upload) or file.status is not FileStatus.AWAITING_BODY:
        raise FileNotReady(
            f"Only a file whose body its client sends can be finished; this one is {as_words(file.status)}."
        )
    stored = objects.latest(file.body["bucket"], file.body["key"])
    if stored is None:
        raise FileNotReady("Nothing has been uploaded yet. Send the encrypted body first, then finish.")
    return file, stored


def _document_of(upload: Upload, stored: ObjectRef, checked: "_Checked", sha256: str | None) -> Document:
    """The document that an upload becomes with its body."""
    return Document(
        **values(upload, list(traits_of(Named)))
        | {
            "body": stored.as_document(),
            "status": FileStatus.ENCRYPTED,
            "size": checked.size,
            "ciphertext_size": checked.ciphertext_size,
            "sealed_digest": checked.seal_digest(sha256),
            "digest_by": DigestBy.CLIENT,
            "encrypted_at": clock.now(),
        }
    )


def _commit(upload: Upload, document: Document, job: Job | None, actor: Actor) -> tuple[Document, Job | None]:
    """Turn the upload into the document, with the job that reads its body to the end."""
    with transaction(actor) as tx:
        # Re-wrapped meanwhile, the upload has another envelope, which this document would lose
        document = changes.change(tx, upload, document, otherwise=FileNotReady(services.CHANGED))
        tx.audit(
            FileEvent.ENCRYPTED,
            file_id=upload.file_id,
            key_id=upload.pool_key_id,
            session_id=services.session_of(upload.quantum_key_id),
            size=document.size,
            owner=document.owner,  # whose quota it counts in
            by="client",
        )
        job = None if job is None else jobs.put(tx, job)
    return document, job


@dataclass(frozen=True, slots=True)
class _Checked:
    """A body that opens under the file's key and ends where it should."""

    header: Header
    file_key: bytes = field(repr=False)
    size: int
    ciphertext_size: int

    def seal_digest(self, sha256: str | None) -> bytes | None:
        if sha256 is None:
            return None
        return digests.seal(bytes.fromhex(sha256), header=self.header, file_key=self.file_key)


def _check_body(upload: Upload, stored: ObjectRef, passphrase: str | None) -> _Checked:
    """Open the end of a body under the file's key.

    Raises:
        Invalid: it does not.
    """
    header = Envelope.from_dict(upload.envelope).header

    def read_at(offset: int, length: int) -> bytes:
        return objects.part_of(stored, offset, length)

    try:
        ciphertext_size = objects.size_of(stored)
        size = body.plaintext_size(ciphertext_size)
        key = file_key(upload, passphrase=passphrase)
        body.decrypt_range(read_at, key=key, context=header.digest(), start=size, stop=size, size=size)
    except (PackageInvalid, ObjectGone):
        raise Invalid("What was uploaded is not a body under this file's key and passphrase.") from None
    if size > settings.UPLOAD_MAX_BYTES:
        raise Invalid(f"The file has {size} bytes; at most {settings.UPLOAD_MAX_BYTES} are accepted.")
    return _Checked(header, key, size, ciphertext_size)
