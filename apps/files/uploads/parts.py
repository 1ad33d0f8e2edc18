"""An upload in parts, which can be taken up again where it was interrupted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings

from apps.access.records import Right
from apps.audit.records import Actor
from apps.audit.services import record
from apps.common import aws
from apps.common.errors import Invalid
from apps.files import services
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectGone
from apps.files.records import File, Upload
from apps.files.states import AWAITED, FileNotReady, FileStatus
from apps.files.trail import FileEvent
from apps.files.uploads.announce import bytes_accepted

_ABORTED = "The upload was aborted. Announce it again."
# What S3 says of parts that it does not join, by its error codes.
REFUSED = {
    "EntityTooSmall": "a part other than the last has less than 5 MiB. Send parts of part_bytes, then complete again.",
    "EntityTooLarge": "together the parts are larger than an object may be. Abort the upload.",
    "InvalidPart": "a part was sent again while they were joined. Complete again.",
    "InvalidPartOrder": "the parts changed while they were joined. Complete again.",
    "InvalidRequest": "the storage does not join these parts. Abort the upload and begin another.",
    "MalformedXML": "there is no part. Send at least one, also of an empty file.",
}
MAX_PARTS = 10_000  # S3's
URLS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A part that S3 has."""

    number: int
    size: int


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
    try:
        return [Part(part["PartNumber"], part["Size"]) for part in _parts(_upload(file_id, actor))]
    except ClientError as error:
        if isinstance(objects.error_of(error), ObjectGone):
            raise FileNotReady(_ABORTED) from None
        raise


def complete(file_id: str, *, size: int, actor: Actor) -> File:
    """Join the parts; the object's event then has it encrypted. Idempotent.

    Raises:
        FileNotFound, FileNotReady: as ``uploaded_parts``.
        Invalid: what has arrived is not ``size`` bytes in parts without a gap.
    """
    file = services.find(file_id, actor=actor, right=Right.WRITE)
    if not isinstance(file, Upload) or file.status not in AWAITED:
        return file
    upload = _arguments(file)
    # Of what its client encrypts, ``finish`` knows the size
    limit = bytes_accepted(file) if file.status is FileStatus.AWAITING_UPLOAD else None
    try:
        parts = _parts(upload)
        _check(parts, size, limit)
        record(actor, FileEvent.PARTS_JOINED, file_id=file_id, parts=len(parts), size=size)
        joined: Any = {"Parts": [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in parts]}
        # Nothing is put over what is there: the first version is the file
        aws.client("s3").complete_multipart_upload(**upload, MultipartUpload=joined, IfNoneMatch="*")
    except ClientError as error:
        if not _is_there(error):
            raise _as_told(error) from None
        if objects.latest(upload["Bucket"], upload["Key"]) is None:  # encrypted and gone already, or aborted
            file = services.find(file_id, actor=actor, right=Right.WRITE)
            if file.status in AWAITED:
                raise FileNotReady(_ABORTED) from None
    return file


def _as_told(error: ClientError) -> Exception:
    """What the caller can change, where S3 refuses the parts; else the error itself."""
    code = error.response.get("Error", {}).get("Code", "")
    if code == "ConditionalRequestConflict":
        return FileNotReady("Another request is joining these parts. Ask for the file's status.")
    return Invalid.of("parts", REFUSED[code]) if code in REFUSED else error


def _is_there(error: ClientError) -> bool:
    """Return whether an error says that the parts were joined before, or are no more."""
    code = error.response.get("Error", {}).get("Code")
    return code == "PreconditionFailed" or isinstance(objects.error_of(error), ObjectGone)


def _upload(file_id: str, actor: Actor) -> dict[str, Any]:
    return _arguments(services.find(file_id, actor=actor, right=Right.WRITE))


def _arguments(file: File) -> dict[str, Any]:
    """A multipart upload, for boto3."""
    if not isinstance(file, Upload) or file.status not in AWAITED or not file.parts:
        raise FileNotReady("This file is not being uploaded in parts. Announce it with the method multipart.")
    return {"Bucket": file.parts["bucket"], "Key": file.parts["key"], "UploadId": file.parts["id"]}


def _parts(upload: dict[str, Any]) -> list[dict[str, Any]]:
    pages = aws.client("s3").get_paginator("list_parts").paginate(**upload)
    return [dict(part) for page in pages for part in page.get("Parts", [])]


def _check(parts: list[dict[str, Any]], size: int, limit: int | None) -> None:
    numbers = [part["PartNumber"] for part in parts]
    arrived = sum(part["Size"] for part in parts)
    if limit is not None and arrived > limit:
        raise Invalid.of(
            "size", f"{arrived} bytes have arrived; at most {limit} are accepted. Abort the upload."
        )
    if numbers != list(range(1, len(parts) + 1)) or arrived != size:
        raise Invalid.of(
            "size",
            f"{arrived} bytes of {size} have arrived, in parts {numbers[:5]}…. Send what is missing, then complete again.",
        )
