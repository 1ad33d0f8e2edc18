"""Files that the client encrypts and decrypts itself: the platform gives out the file's key, and never sees plaintext.

The key is one file's, made from a pool key and a quantum key as for any other file, so rotation, deletion and the
audit trail are the same. Who has once been given it can read that one body for good.
"""

import uuid
from dataclasses import replace
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.errors import Invalid, PlatformError
from apps.files import services
from apps.files.bodies import objects
from apps.files.bodies.media_types import UNKNOWN
from apps.files.bodies.objects import CLIENT_BODIES_PREFIX, ObjectGone, ObjectRef
from apps.files.opening import FileKey, file_key
from apps.files.records import DEFAULT_DOCUMENT_TYPE, File, FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.files.uploads.announce import Target, UploadMethod, begin_parts, target_of, to_come
from apps.keys import services as keys
from apps.keys.pools import pool_for
from apps.keys.records import PoolKey, Purpose
from apps.sessions import quantum_keys
from apps.sessions.records import KeyPurpose, Offer
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
    media_type: str = UNKNOWN,
    attributes: dict[str, Any] | None = None,
    passphrase: str | None = None,
) -> tuple[Target, FileKey]:
    """Announce a file that the client encrypts: its key, and where the body goes.

    Raises:
        StockEmpty, PoolEmpty: nothing to encrypt with right now.
        Invalid: the passphrase is impossible, or the method is a form.
    """
    if method is UploadMethod.POST:
        raise Invalid.of("method", "put or multipart, where the client encrypts")
    described = {"document_type": document_type, "media_type": media_type, "attributes": attributes or {}}
    made = to_come(name=name, actor=actor, **described)
    place = ObjectRef(settings.ENCRYPTED_BUCKET, f"{CLIENT_BODIES_PREFIX}{made.file_id}/{uuid.uuid4()}")
    made = replace(made, status=FileStatus.AWAITING_BODY, source={}, body=place.as_document())
    begun = begin_parts(made, place, method)  # once: S3 keeps each begun upload open until it is aborted
    try:
        secret = take_key(lambda offered: _released(begun, offered, passphrase, actor), actor=actor)
    except PlatformError:  # the client has neither key nor id, even where only the commit's answer was lost
        if "id" in begun.upload:
            objects.abort(place.bucket, place.key, begun.upload["id"])
        raise
    return target_of(secret.file, place, method, None), secret


def _released(made: File, offered: Offer, passphrase: str | None, actor: Actor) -> FileKey:
    """Seal a file key with an offered quantum key, and give it out with the commit of its record."""
    pool_key = keys.pick(pool_for(made.owner, Purpose.FILES))
    envelope, key = _sealed(made, offered, pool_key, passphrase)
    file, header = _with(made, envelope), envelope.header
    _taken(file, offered, pool_key, actor)
    return FileKey(file, key, header.digest(), header.body.value)


def _sealed(made: File, offered: Offer, pool_key: PoolKey, passphrase: str | None) -> tuple[Envelope, bytes]:
    factor = None if passphrase is None else PassphraseFactor()
    header = Header.of(file_id=made.file_id, quantum_key_id=offered.key_id, passphrase=factor)
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


def _with(made: File, envelope: Envelope) -> File:
    return replace(
        made,
        envelope=envelope.to_dict(),
        suite=envelope.header.suite.value,
        pool_key_id=envelope.pool_key_id,
        quantum_key_id=envelope.header.quantum_key_id,
    )


def _taken(file: File, offered: Offer, pool_key: PoolKey, actor: Actor) -> None:
    """The quantum key is used from here on: its file key has left the platform."""
    with transaction(actor) as tx:
        tx.put(FileTable.of(file))
        quantum_keys.take(tx, offered, purpose=KeyPurpose.FILE, subject=file.file_id)
        keys.count_use(tx, pool_key)
        tx.audit(
            FileEvent.KEY_RELEASED,
            file_id=file.file_id,
            key_id=pool_key.key_id,
            session_id=offered.session_id,
            purpose="encrypt",
        )


def finish(
    file_id: str,
    *,
    actor: Actor,
    sha256: str | None = None,
    plaintext_hmac: str | None = None,
    passphrase: str | None = None,
) -> File:
    """Acknowledge a body that the client has uploaded: its commitment and its end are checked. Twice it does nothing.

    Args:
        file_id: announced here.
        actor: its owner.
        sha256: of the ciphertext in hex, as the client computed it.
        plaintext_hmac: as in package-format.md.
        passphrase: where one is part of the key.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: nothing has been uploaded, or the client does not encrypt this file.
        Invalid: what was uploaded is not a body under this file's key.
    """
    file = services.find(file_id, actor=actor)
    if file.status is FileStatus.ENCRYPTED and file.body.get("version") is not None and not file.source:
        return file
    if file.status is not FileStatus.AWAITING_BODY:
        raise FileNotReady(f"The file is {file.status}; no body is awaited from its owner.")
    stored = objects.latest(file.body["bucket"], file.body["key"])
    if stored is None:
        raise FileNotReady("Nothing has been uploaded yet.")
    ciphertext_size, size = _checked(file, stored, passphrase)
    done = replace(
        file,
        status=FileStatus.ENCRYPTED,
        body=stored.as_document(),
        size=size,
        ciphertext_size=ciphertext_size,
        ciphertext_sha256=sha256,
        plaintext_hmac=plaintext_hmac,
        encrypted_at=clock.now(),
        upload={},
    )
    with transaction(actor) as tx:
        waiting = (FileTable.status == FileStatus.AWAITING_BODY) & (FileTable.envelope == file.envelope)
        tx.replace(
            FileTable.of(done), condition=waiting, otherwise=FileNotReady("It was finished meanwhile.")
        )
        tx.audit(
            FileEvent.ENCRYPTED,
            file_id=file_id,
            key_id=file.pool_key_id,
            session_id=services.session_of(file.quantum_key_id),
            size=size,
            by="client",
        )
    return done


def _checked(file: File, stored: ObjectRef, passphrase: str | None) -> tuple[int, int]:
    """Sizes of a body that opens under the file's key and ends where it should.

    Raises:
        Invalid: it does not.
    """
    context = Envelope.from_dict(file.envelope).header.digest()

    def read_at(offset: int, length: int) -> bytes:
        return objects.part_of(stored, offset, length)

    try:
        ciphertext_size = objects.size_of(stored)
        size = body.plaintext_size(ciphertext_size)
        key = file_key(file, passphrase=passphrase)
        body.decrypt_range(read_at, key=key, context=context, start=size, stop=size, size=size)
    except (PackageInvalid, ObjectGone):
        raise Invalid("What was uploaded is not a body under this file's key and passphrase.") from None
    if size > settings.UPLOAD_MAX_BYTES:
        raise Invalid(f"The file has {size} bytes; at most {settings.UPLOAD_MAX_BYTES} are accepted.")
    return ciphertext_size, size
