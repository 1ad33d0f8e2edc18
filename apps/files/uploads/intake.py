"""Ways to bring a file: one PUT, a form with a size limit, or parts that can be taken up again; and new versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import aws, clock
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid
from apps.files import services, store
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectGone, ObjectRef
from apps.files.life import orphans, versions
from apps.files.records import DEFAULT_DOCUMENT_TYPE, File, FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.files.uploads.passphrases import with_passphrase
from qkdseal.digests import UNKNOWN

PART_BYTES = 16 * 2**20  # 5 GiB in 320 parts
MAX_PARTS = 10_000  # S3's
URLS_AT_ONCE = 100
AWAITED = frozenset({FileStatus.AWAITING_UPLOAD, FileStatus.AWAITING_BODY})


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


@dataclass(frozen=True, slots=True)
class Part:
    """A part that S3 has."""

    number: int
    size: int


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
    file = with_passphrase(services.announced(name=name, actor=actor, **described), passphrase)
    return _announced(file, method, size_limit, actor)


def replacing(
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
    file = versions.announced(head, changes)
    source = ObjectRef(settings.UPLOADS_BUCKET, services.UPLOADS_PREFIX + file.file_id)
    return _announced(
        with_passphrase(replace(file, source=source.as_document()), passphrase), method, size_limit, actor
    )


def earlier_versions(
    file_id: str, *, actor: Actor, limit: int, position: Position | None = None
) -> Page[File]:
    """What a document was before, newest first; each can be read under its own id.

    Raises:
        FileNotFound: no such file, or another's.
    """
    return store.earlier_versions(services.find(file_id, actor=actor).file_id, limit=limit, position=position)


def _announced(file: File, method: UploadMethod, size_limit: int | None, actor: Actor) -> Target:
    file = begun(file, ObjectRef.of(file.source), method)
    with transaction(actor) as tx:
        tx.put(FileTable.of(file))
        tx.audit(FileEvent.REGISTERED, file_id=file.document_id or file.file_id, method=method.value)
    return target(file, ObjectRef.of(file.source), method, size_limit)


def begun(file: File, place: ObjectRef, method: UploadMethod) -> File:
    """The record of a file whose parts can be sent from now on; the same for other methods."""
    if method is not UploadMethod.MULTIPART:
        return file
    upload_id = aws.client("s3").create_multipart_upload(Bucket=place.bucket, Key=place.key)["UploadId"]
    return replace(file, upload={**file.upload, "id": upload_id, "bucket": place.bucket, "key": place.key})


def target(file: File, place: ObjectRef, method: UploadMethod, size_limit: int | None) -> Target:
    """Where the bytes of an announced file go."""
    expires = services.url_end()
    if method is UploadMethod.MULTIPART:
        return Target(file, method, expires, part_bytes=PART_BYTES)
    if method is UploadMethod.PUT:
        return Target(file, method, expires, objects.presigned_put(place.bucket, place.key))
    limit = min(size_limit or settings.UPLOAD_MAX_BYTES, settings.UPLOAD_MAX_BYTES)
    form = objects.presigned_post(place.bucket, place.key, limit=limit)
    return Target(file, method, expires, form["url"], form["fields"])


def part_urls(file_id: str, numbers: Sequence[int], *, actor: Actor) -> list[tuple[int, str]]:
    """URLs to which parts can be PUT for a short time.

    Raises:
        FileNotFound, FileNotReady: as ``uploaded_parts``.
    """
    upload = _upload(file_id, actor)
    s3 = aws.client("s3")
    return [
        (
            number,
            s3.generate_presigned_url(
                "upload_part",
                Params=upload | {"PartNumber": number},
                ExpiresIn=settings.PRESIGNED_SECONDS,
            ),
        )
        for number in numbers
    ]


def uploaded_parts(file_id: str, *, actor: Actor) -> list[Part]:
    """The parts that have arrived: what an interrupted upload need not send again.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is not being uploaded in parts.
    """
    return [Part(part["PartNumber"], part["Size"]) for part in _parts(_upload(file_id, actor))]


def complete(file_id: str, *, size: int, actor: Actor) -> File:
    """Join the parts; the object's event then has it encrypted. Done twice it does nothing.

    Raises:
        FileNotFound, FileNotReady: as ``uploaded_parts``.
        Invalid: what has arrived is not ``size`` bytes in parts without a gap.
    """
    file = services.find(file_id, actor=actor)
    if file.status not in AWAITED:
        return file
    upload = _upload(file_id, actor)
    try:
        parts = _parts(upload)
        _check(parts, size)
        aws.client("s3").complete_multipart_upload(
            **upload,
            MultipartUpload={"Parts": [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in parts]},
        )
    except ClientError as error:
        gone = objects.translated(error)
        if not isinstance(gone, ObjectGone):
            raise
        if objects.latest(upload["Bucket"], upload["Key"]) is None:  # not complete already, so aborted
            raise FileNotReady("The upload was aborted.") from None
    return file


def abort(file_id: str, *, actor: Actor) -> File:
    """Give an announced upload up; what has come of it is removed.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: its bytes have arrived already.
    """
    file = services.find(file_id, actor=actor)
    refused = FileNotReady(f"The file is {file.status}; only an upload that is awaited can be aborted.")
    if file.status not in AWAITED:
        raise refused
    return orphans.give_up_upload(file, reason="The upload was aborted.", actor=actor, otherwise=refused)


def _upload(file_id: str, actor: Actor) -> dict[str, Any]:
    file = services.find(file_id, actor=actor)
    if file.status not in AWAITED or "id" not in file.upload:
        raise FileNotReady("The file is not being uploaded in parts.")
    return {
        "Bucket": file.upload["bucket"],
        "Key": file.upload["key"],
        "UploadId": file.upload["id"],
    }


def _parts(upload: dict[str, Any]) -> list[dict[str, Any]]:
    pages = aws.client("s3").get_paginator("list_parts").paginate(**upload)
    return [dict(part) for page in pages for part in page.get("Parts", [])]


def _check(parts: list[dict[str, Any]], size: int) -> None:
    numbers = [part["PartNumber"] for part in parts]
    arrived = sum(part["Size"] for part in parts)
    if numbers != list(range(1, len(parts) + 1)) or arrived != size:
        raise Invalid.of(
            "size", f"{arrived} bytes have arrived in parts {numbers[:5]}…, not {size} without a gap"
        )
