"""An upload in parts, which can be taken up again where it was interrupted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings

from apps.access.records import Right
from apps.audit.records import Actor
from apps.common import aws
from apps.common.errors import Invalid
from apps.files import services
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectGone
from apps.files.records import File, Upload
from apps.files.states import AWAITED, FileNotReady

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
    return [Part(part["PartNumber"], part["Size"]) for part in _parts(_upload(file_id, actor))]


def complete(file_id: str, *, size: int, actor: Actor) -> File:
    """Join the parts; the object's event then has it encrypted. Idempotent.

    Raises:
        FileNotFound, FileNotReady: as ``uploaded_parts``.
        Invalid: what has arrived is not ``size`` bytes in parts without a gap.
    """
    file = services.find(file_id, actor=actor, right=Right.WRITE)
    if file.status not in AWAITED:
        return file
    upload = _arguments(file)
    try:
        parts = _parts(upload)
        _check(parts, size)
        aws.client("s3").complete_multipart_upload(
            **upload,
            MultipartUpload={"Parts": [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in parts]},
        )
    except ClientError as error:
        gone = objects.error_of(error)
        if not isinstance(gone, ObjectGone):
            raise
        if objects.latest(upload["Bucket"], upload["Key"]) is None:  # not complete already, so aborted
            raise FileNotReady("The upload was aborted. Announce it again.") from None
    return file


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


def _check(parts: list[dict[str, Any]], size: int) -> None:
    numbers = [part["PartNumber"] for part in parts]
    arrived = sum(part["Size"] for part in parts)
    if numbers != list(range(1, len(parts) + 1)) or arrived != size:
        raise Invalid.of(
            "size",
            f"{arrived} bytes of {size} have arrived, in parts {numbers[:5]}…. Send what is missing, then complete again.",
        )
