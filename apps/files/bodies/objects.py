"""S3 objects: found, read as streams, presigned, copied, removed by version. ``writer`` writes them."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from django.conf import settings
from django.utils.http import content_disposition_header

from apps.common import aws, clock
from qkdseal.streams import Source

log = logging.getLogger(__name__)
UPLOADS_PREFIX = "uploads/"  # of plaintexts whose upload was announced
DOWNLOADS_PREFIX = "downloads/"  # of decrypted copies
BODIES_PREFIX = "files/"  # of bodies that the platform writes
CLIENT_BODIES_PREFIX = "client-files/"  # of bodies that clients write
PART_BYTES = 8 * 2**20  # 5 GiB in 640 parts; S3 takes at most 10,000
GONE = {"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404"}
REOPENINGS = 4  # of one stream: a connection that breaks off does not cost the gigabytes before it
SKIP_BYTES = 2**20
BROKEN = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class ObjectGone(Exception):
    """The object does not exist (any more)."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One version of one object."""

    bucket: str
    key: str
    version: str = ""

    @classmethod
    def of(cls, document: Mapping[str, str]) -> Self:
        """From what a record holds."""
        return cls(document["bucket"], document["key"], document.get("version", ""))

    def as_document(self) -> dict[str, str]:
        """For a record."""
        return {"bucket": self.bucket, "key": self.key, "version": self.version}

    def arguments(self) -> dict[str, Any]:
        """For boto3."""
        return {"Bucket": self.bucket, "Key": self.key} | (
            {"VersionId": self.version} if self.version else {}
        )


def size_of(ref: ObjectRef) -> int:
    """Bytes of an object.

    Raises:
        ObjectGone: it does not exist.
    """
    try:
        return int(aws.client("s3").head_object(**ref.arguments())["ContentLength"])
    except ClientError as error:
        raise error_of(error) from None


class ObjectSource:
    """An object's bytes, streamed; a connection that breaks off is taken up where it ended."""

    def __init__(self, ref: ObjectRef, *, start: int = 0) -> None:
        self._ref, self._at = ref, start
        self._reopenings, self._etag = 0, ""
        self._body: Any = None
        self._open()

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end only."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill some or all of ``buffer``; 0 at the end only."""
        while True:
            try:
                count: int = self._body.readinto(buffer)
            except BROKEN:
                self._reopenings += 1
                if self._reopenings > REOPENINGS:
                    raise
                self._open()
            else:
                self._at += count
                return count

    def _open(self) -> None:
        arguments = self._ref.arguments() | ({"Range": f"bytes={self._at}-"} if self._at else {})
        if self._reopenings and not self._ref.version:
            arguments["IfMatch"] = self._etag  # never the rest of another object
        try:
            answer = aws.client("s3").get_object(**arguments)
        except ClientError as error:
            raise error_of(error) from None
        self._body, self._etag = _skip_to(answer, self._at), answer["ETag"]


def _skip_to(answer: Any, offset: int) -> Any:
    """The body of an answer from ``offset`` on, also where the store ignored the Range header, as it may."""
    body = answer["Body"]
    left = 0 if "ContentRange" in answer else offset
    while left and (skipped := body.read(min(left, SKIP_BYTES))):
        left -= len(skipped)
    return body


def stream(ref: ObjectRef) -> Source:
    """An object's bytes, streamed.

    Raises:
        ObjectGone: it does not exist.
    """
    return ObjectSource(ref)


def part_of(ref: ObjectRef, offset: int, length: int) -> bytes:
    """Some of an object's bytes; fewer where it ends before.

    Raises:
        ObjectGone: it does not exist.
    """
    try:
        answer = aws.client("s3").get_object(**ref.arguments(), Range=f"bytes={offset}-{offset + length - 1}")
        return bytes(_skip_to(answer, offset).read(length))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "InvalidRange":
            return b""
        raise error_of(error) from None


def versions_before(bucket: str, moment: datetime, *, prefix: str = "") -> Iterator[ObjectRef]:
    """Every version in a bucket that is older than ``moment``."""
    pages = aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for found in page.get("Versions", []):
            if found["LastModified"] < moment:
                version = found["VersionId"]
                yield ObjectRef(bucket, found["Key"], "" if version == "null" else version)


def versions_of(bucket: str, key: str) -> Iterator[ObjectRef]:
    """Every version under exactly this key."""
    return (ref for ref in versions_before(bucket, clock.now(), prefix=key) if ref.key == key)


def latest(bucket: str, key: str) -> ObjectRef | None:
    """The newest version of an object, or None."""
    try:
        answer = aws.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if isinstance(error_of(error), ObjectGone):
            return None
        raise
    return ObjectRef(bucket, key, answer.get("VersionId", ""))


def error_of(error: ClientError) -> Exception:
    """``ObjectGone`` where S3 says that there is no such thing, else the error itself."""
    return ObjectGone() if error.response.get("Error", {}).get("Code") in GONE else error


def remove(ref: ObjectRef) -> None:
    """Remove this version for good; nothing happens if it is gone."""
    aws.client("s3").delete_object(**ref.arguments())


def abort(bucket: str, key: str, upload_id: str) -> None:
    """End a multipart upload that failed. If even that fails, the sweep does it.

    Called while the error that made it fail is on its way; that one is what the caller has to know.
    """
    try:
        aws.client("s3").abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except (ClientError, BotoCoreError) as error:
        log.warning("the upload of %s could not be aborted: %s", key, type(error).__name__)


def url_end() -> datetime:
    """When a URL presigned now ends."""
    return clock.now() + timedelta(seconds=settings.PRESIGNED_SECONDS)


def presign_put(bucket: str, key: str) -> str:
    """A URL to which one object can be PUT for a short time."""
    return aws.client("s3").generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=settings.PRESIGNED_SECONDS
    )


def presign_post(bucket: str, key: str, *, limit: int) -> dict[str, Any]:
    """A form (URL and fields) with which one object of at most ``limit`` bytes can be POSTed for a short time."""
    return aws.client("s3").generate_presigned_post(
        bucket,
        key,
        Conditions=[["content-length-range", 0, limit]],
        ExpiresIn=settings.PRESIGNED_SECONDS,
    )


def presign_get(ref: ObjectRef, *, name: str, media_type: str) -> str:
    """A URL from which an object can be downloaded under its name for a short time."""
    return aws.client("s3").generate_presigned_url(
        "get_object",
        Params=ref.arguments()
        | {
            "ResponseContentDisposition": content_disposition_header(as_attachment=True, filename=name),
            "ResponseContentType": media_type,
        },
        ExpiresIn=settings.PRESIGNED_SECONDS,
    )
