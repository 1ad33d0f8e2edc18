"""S3 objects: found, listed, removed by version. ``reader`` reads them, ``writer`` writes them."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from apps.common import aws
from apps.common.sweeps import each
from qkdseal.header import BodyFormat

log = logging.getLogger(__name__)
UPLOADS_PREFIX = "uploads/"  # of plaintexts whose upload was announced
DOWNLOADS_PREFIX = "downloads/"  # of decrypted copies
BODIES_PREFIX = "files/"  # of bodies that the platform writes
CLIENT_BODIES_PREFIX = "client-files/"  # of bodies that clients write
PART_BYTES = 8 * 2**20  # 5 GiB in 640 parts; S3 takes at most 10,000
GONE = {"NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404"}
SKIP_BYTES = 2**20


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


@dataclass(frozen=True, slots=True)
class Head:
    """What S3 tells of an object without its bytes."""

    size: int
    media_type: str
    encoding: str
    metadata: Mapping[str, str]


def metadata_of(package_id: str, body_format: BodyFormat) -> dict[str, str]:
    """What a body's object carries for whoever has nothing but the bucket."""
    return {"file-id": package_id, "format": body_format.value}


def head_of(ref: ObjectRef) -> Head:
    """What S3 tells of an object.

    Raises:
        ObjectGone: it does not exist.
    """
    try:
        told = aws.client("s3").head_object(**ref.arguments())
    except ClientError as error:
        raise error_of(error) from None
    encoding, metadata = told.get("ContentEncoding", ""), told.get("Metadata", {})
    return Head(int(told["ContentLength"]), told.get("ContentType", ""), encoding, metadata)


def size_of(ref: ObjectRef) -> int:
    """Bytes of an object.

    Raises:
        ObjectGone: it does not exist.
    """
    return head_of(ref).size


def skip_to(answer: Any, offset: int) -> Any:
    """The body of an answer from ``offset`` on, also where the store ignored the Range header, as it may."""
    body = answer["Body"]
    left = 0 if "ContentRange" in answer else offset
    while left and (skipped := body.read(min(left, SKIP_BYTES))):
        left -= len(skipped)
    return body


def part_of(ref: ObjectRef, offset: int, length: int) -> bytes:
    """Some of an object's bytes; fewer where it ends before.

    Raises:
        ObjectGone: it does not exist.
    """
    try:
        answer = aws.client("s3").get_object(**ref.arguments(), Range=f"bytes={offset}-{offset + length - 1}")
        body = skip_to(answer, offset)
        found = bytes(body.read(length))
        if len(found) < length:
            body.read(1)  # at its end it compares what came with what was announced
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "InvalidRange":
            return b""
        raise error_of(error) from None
    return found


def versions_before(bucket: str, moment: datetime, *, prefix: str = "") -> Iterator[ObjectRef]:
    """Every version in a bucket that is older than ``moment``: by key, the newest of each first."""
    return (found.ref for found in stored_versions(bucket, prefix=prefix) if found.stored_at < moment)


@dataclass(frozen=True, slots=True)
class Stored:
    """A version as a bucket lists it."""

    ref: ObjectRef
    size: int
    stored_at: datetime
    storage_class: str


def stored_versions(bucket: str, *, prefix: str = "", after: str = "") -> Iterator[Stored]:
    """Every version in a bucket: by key (those behind ``after`` only), the newest of each first."""
    where = {"Bucket": bucket, "Prefix": prefix} | ({"KeyMarker": after} if after else {})
    for page in aws.client("s3").get_paginator("list_object_versions").paginate(**where):  # type: ignore[arg-type]
        for found in page.get("Versions", []):
            version = "" if found["VersionId"] == "null" else found["VersionId"]
            ref = ObjectRef(bucket, found["Key"], version)
            yield Stored(ref, found["Size"], found["LastModified"], found.get("StorageClass", "STANDARD"))


def versions_of(bucket: str, key: str) -> Iterator[ObjectRef]:
    """Every version under exactly this key, the newest first: the order of S3, whatever its clock says."""
    return (found.ref for found in stored_under(bucket, key))


def stored_under(bucket: str, key: str) -> Iterator[Stored]:
    """Likewise, with what the bucket lists of each."""
    # Of all keys that begin with this one it is listed first
    for found in stored_versions(bucket, prefix=key):
        if found.ref.key != key:
            return
        yield found


def latest(bucket: str, key: str) -> ObjectRef | None:
    """The newest version of an object, or None."""
    try:
        answer = aws.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if isinstance(error_of(error), ObjectGone):
            return None
        raise
    return ObjectRef(bucket, key, answer.get("VersionId", ""))


def stored_at(ref: ObjectRef) -> datetime | None:
    """When an object was written, or None where there is none."""
    try:
        written: datetime = aws.client("s3").head_object(**ref.arguments())["LastModified"]
    except ClientError as error:
        if isinstance(error_of(error), ObjectGone):
            return None
        raise
    return written


def error_of(error: ClientError) -> Exception:
    """``ObjectGone`` where S3 says that there is no such thing, else the error itself."""
    return ObjectGone() if error.response.get("Error", {}).get("Code") in GONE else error


def remove(ref: ObjectRef) -> None:
    """Remove this version for good; nothing happens if it is gone."""
    aws.client("s3").delete_object(**ref.arguments())


def remove_others(kept: ObjectRef) -> int:
    """Remove every other version under an object's key, and return how many.

    A write that was sent again, as its answer was lost, has left one that no record names. Where the kept one is not
    there, none is removed: a body that was brought back from a copy is another version than its record names.
    """
    there = list(versions_of(kept.bucket, kept.key))
    return each([ref for ref in there if ref != kept], remove) if kept in there else 0


def remove_all(bucket: str, key: str) -> int:
    """Remove every version under a key, and return how many."""
    return each(list(versions_of(bucket, key)), remove)


def abort(bucket: str, key: str, upload_id: str) -> None:
    """End a multipart upload that failed. If even that fails, the sweep does it.

    Called while the error that made it fail is on its way; that one is what the caller has to know.
    """
    try:
        aws.client("s3").abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except (ClientError, BotoCoreError) as error:
        log.warning("the upload of %s could not be aborted: %s", key, type(error).__name__)
