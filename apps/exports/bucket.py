"""Files that leave the platform: each written once, under a key that says what it holds."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings

from apps.common import aws
from apps.common.errors import Unavailable

log = logging.getLogger(__name__)
ADDRESS_SECONDS = 300
ATTEMPTS = 4  # of a file that somebody else's stands in the place of
Ours = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Written:
    """A file in the bucket."""

    key: str
    sha256: str
    size: int

    def as_document(self) -> dict[str, str | int]:
        """As a record or a job keeps it."""
        return {"key": self.key, "sha256": self.sha256, "size": self.size}


def put(key: str, content: bytes, *, media_type: str) -> Written:
    """Write a file; the same again is the same."""
    aws.client("s3").put_object(Bucket=settings.EXPORTS_BUCKET, Key=key, Body=content, ContentType=media_type)
    return Written(key, hashlib.sha256(content).hexdigest(), len(content))


def put_first(
    key: str, content: bytes, *, media_type: str, told: Mapping[str, str], ours: Ours
) -> Mapping[str, str]:
    """Write a file unless the platform wrote one under this key; return what is told about the one that is there.

    What somebody else put there is written over, in the state in which it was looked at: the bucket's versions keep it.

    Args:
        key: of the file.
        content: of the file.
        media_type: of the content.
        told: kept with the file.
        ours: says of what is told about a file whether the platform wrote that.

    Raises:
        Unavailable: somebody changes the file all the while.
    """
    there: dict[str, str] = {"IfNoneMatch": "*"}
    for _ in range(ATTEMPTS):
        if _put_where(there, key, content, media_type, told):
            return told
        found = aws.client("s3").head_object(Bucket=settings.EXPORTS_BUCKET, Key=key)
        if ours(found["Metadata"]):
            return found["Metadata"]
        log.error("the file %s of the exports is not the platform's; it is written over", key)
        there = {"IfMatch": found["ETag"]}
    raise Unavailable(f"The file {key} changes all the while. It is tried again.")


def _put_where(
    there: Mapping[str, str], key: str, content: bytes, media_type: str, told: Mapping[str, str]
) -> bool:
    """Write a file if what is there is as expected; return whether it was."""
    put: dict[str, Any] = {"Bucket": settings.EXPORTS_BUCKET, "Key": key, "Body": content, **there}
    try:
        aws.client("s3").put_object(ContentType=media_type, Metadata=dict(told), **put)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {409, 412}:
            raise
        return False
    return True


def read(key: str) -> bytes:
    """Read a file that is small."""
    return aws.client("s3").get_object(Bucket=settings.EXPORTS_BUCKET, Key=key)["Body"].read()


def address_of(key: str) -> str:
    """A short-lived address from which anybody who has it may read the file."""
    return aws.client("s3").generate_presigned_url(
        "get_object", Params={"Bucket": settings.EXPORTS_BUCKET, "Key": key}, ExpiresIn=ADDRESS_SECONDS
    )
