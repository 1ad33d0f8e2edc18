"""S3 objects as streams: read, written in parts, presigned, removed by version."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils.http import content_disposition_header

from apps.common import aws
from apps.files.streams import Source

PART_BYTES = 8 * 2**20  # 5 GiB in 640 parts; S3 takes at most 10,000
GONE = {"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404"}


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
        raise _translated(error) from None


def opened(ref: ObjectRef) -> Source:
    """An object's bytes, streamed.

    Raises:
        ObjectGone: it does not exist.
    """
    try:
        return aws.client("s3").get_object(**ref.arguments())["Body"]
    except ClientError as error:
        raise _translated(error) from None


def written_before(bucket: str, moment: datetime) -> Iterator[ObjectRef]:
    """Every version in a bucket that is older than ``moment``."""
    for page in aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in page.get("Versions", []):
            if found["LastModified"] < moment:
                version = found["VersionId"]
                yield ObjectRef(bucket, found["Key"], "" if version == "null" else version)


def _translated(error: ClientError) -> Exception:
    return ObjectGone() if error.response.get("Error", {}).get("Code") in GONE else error


def remove(ref: ObjectRef) -> None:
    """Remove this version for good; nothing happens if it is gone."""
    aws.client("s3").delete_object(**ref.arguments())


def presigned_put(bucket: str, key: str) -> str:
    """A URL to which one object can be PUT for a short time."""
    return aws.client("s3").generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=settings.PRESIGNED_SECONDS
    )


def presigned_get(ref: ObjectRef, *, name: str, media_type: str) -> str:
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


@dataclass(slots=True)
class ObjectWriter:
    """A sink that becomes one object: small ones by one PUT, larger ones in parts of 8 MiB.

    As a context manager it leaves nothing behind when the block fails: the upload is aborted.
    """

    bucket: str
    key: str
    ref: ObjectRef | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _upload_id: str = ""
    _parts: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self.ref is None and self._upload_id:
                self._abort()

    def _abort(self) -> None:
        # Complete after all, or out of reach: the bucket's lifecycle rule ends what is left of it
        with suppress(BotoCoreError, ClientError):
            aws.client("s3").abort_multipart_upload(
                Bucket=self.bucket, Key=self.key, UploadId=self._upload_id
            )

    def write(self, data: memoryview, /) -> int:
        """Take all of ``data``; a full part is uploaded at once."""
        self._buffer += data
        while len(self._buffer) >= PART_BYTES:
            with memoryview(self._buffer) as view:
                self._upload(bytes(view[:PART_BYTES]))
            del self._buffer[:PART_BYTES]
        return len(data)

    def _upload(self, part: bytes) -> None:
        s3 = aws.client("s3")
        if not self._upload_id:
            self._upload_id = s3.create_multipart_upload(Bucket=self.bucket, Key=self.key)["UploadId"]
        number = len(self._parts) + 1
        answer = s3.upload_part(
            Bucket=self.bucket, Key=self.key, UploadId=self._upload_id, PartNumber=number, Body=part
        )
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number})

    def _finish(self) -> None:
        s3 = aws.client("s3")
        if not self._upload_id:
            answer: Any = s3.put_object(Bucket=self.bucket, Key=self.key, Body=bytes(self._buffer))
        else:
            if self._buffer:
                self._upload(bytes(self._buffer))
            answer = s3.complete_multipart_upload(
                Bucket=self.bucket,
                Key=self.key,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},  # type: ignore[typeddict-item]
            )
        self._buffer.clear()
        self.ref = ObjectRef(self.bucket, self.key, answer.get("VersionId", ""))
