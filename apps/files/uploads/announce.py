"""Announcing a file or a new version: by one PUT, a form with a size limit, or parts."""

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
from apps.files import services
from apps.files.bodies import objects
from apps.files.bodies.media_types import UNKNOWN
from apps.files.bodies.objects import UPLOADS_PREFIX, ObjectRef
from apps.files.records import DEFAULT_DOCUMENT_TYPE, File, FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.files.uploads import applying
from apps.files.uploads.passphrases import with_passphrase

PART_BYTES = 16 * 2**20  # 5 GiB in 320 parts


class UploadMethod(StrEnum):
    """How the bytes come."""

    PUT = "put"
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
    part_bytes: int | None = None


def announce(
    *,
    name: str,
    actor: Actor,
    method: UploadMethod = UploadMethod.PUT,
    size_limit: int | None = None,
    document_type: str = DEFAULT_DOCUMENT_TYPE,
    media_type: str = UNKNOWN,
    attributes: Mapping[str, Any] | None = None,
    passphrase: str | None = None,
) -> Target:
    """Announce a file whose bytes come by ``method``.

    Raises:
        Invalid: the passphrase is impossible.
    """
    described = {"document_type": document_type, "media_type": media_type, "attributes": attributes or {}}
    file = with_passphrase(to_come(name=name, actor=actor, **described), passphrase)
    return _announced(file, method, size_limit, actor)


def to_come(*, name: str, actor: Actor, **described: Any) -> File:
    """The record of a file whose bytes are to come."""
    file_id = str(uuid.uuid4())
    return File(
        file_id=file_id,
        name=name,
        owner=str(actor),
        status=FileStatus.AWAITING_UPLOAD,
        uploaded_at=clock.now(),
        source=ObjectRef(settings.UPLOADS_BUCKET, UPLOADS_PREFIX + file_id).as_document(),
        **described,
    )


def announce_version(
    file_id: str,
    *,
    actor: Actor,
    method: UploadMethod = UploadMethod.PUT,
    size_limit: int | None = None,
    name: str | None = None,
    media_type: str = UNKNOWN,
    attributes: Mapping[str, Any] | None = None,
    passphrase: str | None = None,
) -> Target:
    """Announce the next version of a document; what it is now stays readable, and is kept (E6).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it has no content, or is an earlier version itself.
        Invalid: the passphrase is impossible.
    """
    head = services.find(file_id, actor=actor)
    if head.document_id or head.status not in {FileStatus.ENCRYPTED, FileStatus.ARCHIVED}:
        raise FileNotReady(f"The file is {head.status}; only an encrypted or archived document is replaced.")
    changes = {
        "name": name or head.name,
        "media_type": media_type,
        "attributes": head.attributes if attributes is None else attributes,
        "uploaded_at": clock.now(),
    }
    file = applying.announced(head, changes)
    source = ObjectRef(settings.UPLOADS_BUCKET, UPLOADS_PREFIX + file.file_id)
    return _announced(
        with_passphrase(replace(file, source=source.as_document()), passphrase), method, size_limit, actor
    )


def _announced(file: File, method: UploadMethod, size_limit: int | None, actor: Actor) -> Target:
    file = begin_parts(file, ObjectRef.of(file.source), method)
    with transaction(actor) as tx:
        tx.put(FileTable.of(file))
        tx.audit(FileEvent.REGISTERED, file_id=file.document_id or file.file_id, method=method.value)
    return target_of(file, ObjectRef.of(file.source), method, size_limit)


def begin_parts(file: File, place: ObjectRef, method: UploadMethod) -> File:
    """The record of a file whose parts can be sent from now on; the same for other methods."""
    if method is not UploadMethod.MULTIPART:
        return file
    upload_id = aws.client("s3").create_multipart_upload(Bucket=place.bucket, Key=place.key)["UploadId"]
    return replace(file, upload={**file.upload, "id": upload_id, "bucket": place.bucket, "key": place.key})


def target_of(file: File, place: ObjectRef, method: UploadMethod, size_limit: int | None) -> Target:
    """Where the bytes of an announced file go."""
    expires = objects.url_end()
    if method is UploadMethod.MULTIPART:
        return Target(file, method, expires, part_bytes=PART_BYTES)
    if method is UploadMethod.PUT:
        return Target(file, method, expires, objects.presigned_put(place.bucket, place.key))
    limit = min(size_limit or settings.UPLOAD_MAX_BYTES, settings.UPLOAD_MAX_BYTES)
    form = objects.presigned_post(place.bucket, place.key, limit=limit)
    return Target(file, method, expires, form["url"], form["fields"])
