"""Announcing a file or a new version: by one PUT, a form with a size limit, or parts."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Conflict, transaction
from apps.common import aws, clock, tracing
from apps.common.idempotency import keep
from apps.files import changes, services
from apps.files.bodies import objects, presigned
from apps.files.bodies.objects import UPLOADS_PREFIX, ObjectRef
from apps.files.records import DEFAULT_DOCUMENT_TYPE, UNKNOWN_TYPE, File, Upload
from apps.files.states import AWAITED
from apps.files.trail import FileEvent
from apps.files.uploads import repeated
from apps.files.uploads.passphrases import with_passphrase
from apps.sessions.records import StockChoice
from qkdseal.header import BodyFormat

PART_BYTES = 16 * 2**20  # 5 GiB in 320 parts


class UploadMethod(StrEnum):
    """How the bytes come."""

    PUT = "put"
    # Headers that the URL is signed with have to be sent; who asks for a plain PUT sends none
    PUT_WITH_HEADERS = "put-with-headers"
    POST = "post"  # a form, as browsers send it; S3 refuses what is over the limit
    MULTIPART = "multipart"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the bytes go, until when."""

    file: File
    method: UploadMethod
    expires_at: datetime
    url: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    part_bytes: int | None = None
    repeated: bool = False  # the file was announced before, by the same request


def announce(
    *,
    name: str,
    actor: Actor,
    method: UploadMethod = UploadMethod.PUT,
    size_limit: int | None = None,
    document_type: str = DEFAULT_DOCUMENT_TYPE,
    media_type: str = UNKNOWN_TYPE,
    attributes: Mapping[str, Any] | None = None,
    source_path: str | None = None,
    expires_at: datetime | None = None,
    passphrase: str | None = None,
    owner: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
    upload_id: str | None = None,
) -> Target:
    """Announce a file whose bytes come by ``method``; ``stock`` says whose sessions give its quantum key.

    With an ``upload_id`` of the client's the same request may be sent again: it finds the same file.

    Raises:
        UploadIdUsed: something else was announced under this ``upload_id``.
        Invalid: the passphrase is impossible, or the owner is neither the actor nor a group of its.
    """
    described: dict[str, Any] = {
        "document_type": document_type,
        "media_type": media_type,
        "attributes": attributes or {},
        "keys_from": stock.owner_for(actor),
        "size_limit": size_limit,
        "source_path": source_path,
        "expires_at": expires_at,
    }
    upload = upload_of(name=name, actor=actor, owner=owner, upload_id=upload_id, **described)
    return _announce(upload, passphrase, method, upload_id, actor)


def upload_of(
    *, name: str, actor: Actor, owner: str | None = None, upload_id: str | None = None, **described: Any
) -> Upload:
    """The record of a new file whose bytes are to come."""
    file_id = repeated.file_id_for(upload_id, actor=actor)
    return Upload(
        file_id=file_id,
        name=name,
        owner=services.owner_for(actor, owner),
        uploaded_at=clock.now(),
        source=_source_of(file_id),
        **described,
    )


def _source_of(file_id: str) -> dict[str, str]:
    return ObjectRef(settings.UPLOADS_BUCKET, UPLOADS_PREFIX + file_id).as_document()


def announce_version(
    file_id: str,
    *,
    actor: Actor,
    method: UploadMethod = UploadMethod.PUT,
    size_limit: int | None = None,
    name: str | None = None,
    media_type: str = UNKNOWN_TYPE,
    attributes: Mapping[str, Any] | None = None,
    source_path: str | None = None,
    passphrase: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
    upload_id: str | None = None,
    admit: Callable[[str], object] | None = None,
) -> Target:
    """Announce the next version of a document; what it is now stays readable, and is kept (E6).

    ``admit`` is told the document's owner, and refuses what they may not have.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is neither encrypted nor archived.
        UploadIdUsed: something else was announced under this ``upload_id``.
        Invalid: the passphrase is impossible.
    """
    head = services.find_document(file_id, actor=actor, to="replace")
    if admit is not None:
        admit(head.owner)
    file_id = f"{head.file_id}.{uuid.UUID(repeated.file_id_for(upload_id, actor=actor)).hex[-16:]}"
    upload = Upload(
        file_id=file_id,
        replaces=head.file_id,
        name=name or head.name,
        document_type=head.document_type,
        owner=head.owner,
        uploaded_at=clock.now(),
        media_type=media_type,
        attributes=head.attributes if attributes is None else attributes,
        source=_source_of(file_id),
        keys_from=stock.owner_for(actor),
        size_limit=size_limit,
        source_path=source_path or head.source_path,
    )
    return _announce(upload, passphrase, method, upload_id, actor)


def _announce(
    upload: Upload, passphrase: str | None, method: UploadMethod, upload_id: str | None, actor: Actor
) -> Target:
    upload = with_digest(upload, method, passphrase, upload_id)
    there = repeated.find(upload, passphrase)
    if there is not None:
        return target_again(there, method)
    made = begin_parts(with_passphrase(upload, passphrase), method)
    made = replace(made, trace=tracing.carried())
    try:
        with transaction(actor) as tx:
            made = changes.put(tx, made)
            tx.audit(FileEvent.REGISTERED, file_id=made.document_id, method=method.value)
            keep(tx, "upload", file_id=made.file_id, method=method.value)
    except Conflict:  # the same request, sent at once, was faster
        end_parts(made)
        there = repeated.find(upload, passphrase)
        if there is None:
            raise
        return target_again(there, method)
    return target_of(made, method)


def announced(file_id: str, *, method: UploadMethod, actor: Actor) -> Target:
    """Where the bytes go of a file that was announced before.

    Raises:
        FileNotFound: no such file, or another's.
    """
    return target_again(services.find(file_id, actor=actor), method)


def with_digest(
    upload: Upload, method: UploadMethod, passphrase: str | None, upload_id: str | None
) -> Upload:
    """The upload with the digest of what is asked for, where the client's id lets it ask again."""
    if upload_id is None:
        return upload
    told = {"method": method.value, "passphrase": passphrase is not None, "replaces": upload.replaces}
    return replace(upload, asked=repeated.digest_of(upload, **told))


def place_of(upload: Upload) -> ObjectRef:
    """Where an upload's bytes go: the plaintext, or the body that its client makes."""
    return ObjectRef.of(upload.source or upload.body)


def begin_parts(upload: Upload, method: UploadMethod) -> Upload:
    """Begin a multipart upload, if that is the method; the record names it from then on."""
    place = place_of(upload)
    if method is not UploadMethod.MULTIPART:
        return upload
    told = _metadata_of(upload)
    begun = aws.client("s3").create_multipart_upload(Bucket=place.bucket, Key=place.key, Metadata=told)
    upload_id = begun["UploadId"]
    return replace(upload, parts={"id": upload_id, "bucket": place.bucket, "key": place.key})


def _metadata_of(upload: Upload) -> dict[str, str]:
    """What the object tells: nothing of plaintext; of a body that its client encrypts, whose and what it is."""
    return {} if upload.source else objects.metadata_of(upload.package_id, BodyFormat.COBBLESTONE_256)


def bytes_accepted(upload: Upload) -> int:
    """How many bytes an upload may have."""
    return min(upload.size_limit or settings.UPLOAD_MAX_BYTES, settings.UPLOAD_MAX_BYTES)


def end_parts(upload: Upload) -> None:
    """Abort the multipart upload that was begun for a record that was not written."""
    if upload.parts:
        objects.abort(upload.parts["bucket"], upload.parts["key"], upload.parts["id"])


def target_again(file: File, method: UploadMethod) -> Target:
    """Where the bytes go of a file that was announced before; nowhere, once they have come or were given up."""
    if isinstance(file, Upload) and file.status in AWAITED:
        return replace(target_of(file, method), repeated=True)
    return Target(file, method, presigned.end(), repeated=True)


def target_of(file: Upload, method: UploadMethod) -> Target:
    """Where the bytes of an announced file go."""
    place = place_of(file)
    expires = presigned.end()
    if method is UploadMethod.MULTIPART:
        return Target(file, method, expires, part_bytes=PART_BYTES)
    if method is UploadMethod.PUT:
        return Target(file, method, expires, presigned.put_url(place.bucket, place.key))
    if method is UploadMethod.PUT_WITH_HEADERS:
        headers = {f"x-amz-meta-{name}": value for name, value in _metadata_of(file).items()}
        url = presigned.put_url(place.bucket, place.key, metadata=_metadata_of(file))
        return Target(file, method, expires, url, headers=headers)
    form = presigned.form(place.bucket, place.key, limit=bytes_accepted(file))
    return Target(file, method, expires, form["url"], form["fields"])
