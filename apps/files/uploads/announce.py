"""Announcing a file or a new version: by one PUT, a form with a size limit, or parts."""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import aws, clock
from apps.files import changes, services
from apps.files.bodies import objects
from apps.files.bodies.objects import UPLOADS_PREFIX, ObjectRef
from apps.files.records import DEFAULT_DOCUMENT_TYPE, UNKNOWN_TYPE, Upload
from apps.files.trail import FileEvent
from apps.files.uploads.passphrases import with_passphrase
from apps.sessions.records import StockChoice

PART_BYTES = 16 * 2**20  # 5 GiB in 320 parts


class UploadMethod(StrEnum):
    """How the bytes come."""

    PUT = "put"
    POST = "post"  # a form, as browsers send it; S3 refuses what is over the limit
    MULTIPART = "multipart"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the bytes go, until when."""

    file: Upload
    method: UploadMethod
    expires_at: datetime
    url: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    part_bytes: int | None = None


def announce(
    *,
    name: str,
    actor: Actor,
    method: UploadMethod = UploadMethod.PUT,
    size_limit: int | None = None,
    document_type: str = DEFAULT_DOCUMENT_TYPE,
    media_type: str = UNKNOWN_TYPE,
    attributes: Mapping[str, Any] | None = None,
    passphrase: str | None = None,
    owner: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
) -> Target:
    """Announce a file whose bytes come by ``method``; ``stock`` says whose sessions give its quantum key.

    Raises:
        Invalid: the passphrase is impossible, or the owner is neither the actor nor a group of its.
    """
    described: dict[str, Any] = {
        "document_type": document_type,
        "media_type": media_type,
        "attributes": attributes or {},
        "keys_from": stock.owner_for(actor),
    }
    upload = upload_of(name=name, actor=actor, owner=owner, **described)
    return _announce(upload, passphrase, method, size_limit, actor)


def upload_of(*, name: str, actor: Actor, owner: str | None = None, **described: Any) -> Upload:
    """The record of a new file whose bytes are to come."""
    file_id = str(uuid.uuid4())
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
    passphrase: str | None = None,
    stock: StockChoice = StockChoice.PLATFORM,
) -> Target:
    """Announce the next version of a document; what it is now stays readable, and is kept (E6).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is neither encrypted nor archived.
        Invalid: the passphrase is impossible.
    """
    head = services.find_document(file_id, actor=actor, to="replace")
    upload_id = f"{head.file_id}.{secrets.token_hex(8)}"
    upload = Upload(
        file_id=upload_id,
        replaces=head.file_id,
        name=name or head.name,
        document_type=head.document_type,
        owner=head.owner,
        uploaded_at=clock.now(),
        media_type=media_type,
        attributes=head.attributes if attributes is None else attributes,
        source=_source_of(upload_id),
        keys_from=stock.owner_for(actor),
    )
    return _announce(upload, passphrase, method, size_limit, actor)


def _announce(
    upload: Upload, passphrase: str | None, method: UploadMethod, size_limit: int | None, actor: Actor
) -> Target:
    place = ObjectRef.of(upload.source)
    upload = begin_parts(with_passphrase(upload, passphrase), place, method)
    with transaction(actor) as tx:
        upload = changes.put(tx, upload)
        tx.audit(FileEvent.REGISTERED, file_id=upload.document_id, method=method.value)
    return target_of(upload, place, method, size_limit)


def begin_parts(upload: Upload, place: ObjectRef, method: UploadMethod) -> Upload:
    """Begin a multipart upload, if that is the method; the record names it from then on."""
    if method is not UploadMethod.MULTIPART:
        return upload
    upload_id = aws.client("s3").create_multipart_upload(Bucket=place.bucket, Key=place.key)["UploadId"]
    return replace(upload, parts={"id": upload_id, "bucket": place.bucket, "key": place.key})


def target_of(file: Upload, place: ObjectRef, method: UploadMethod, size_limit: int | None) -> Target:
    """Where the bytes of an announced file go."""
    expires = objects.url_end()
    if method is UploadMethod.MULTIPART:
        return Target(file, method, expires, part_bytes=PART_BYTES)
    if method is UploadMethod.PUT:
        return Target(file, method, expires, objects.presign_put(place.bucket, place.key))
    limit = min(size_limit or settings.UPLOAD_MAX_BYTES, settings.UPLOAD_MAX_BYTES)
    form = objects.presign_post(place.bucket, place.key, limit=limit)
    return Target(file, method, expires, form["url"], form["fields"])
