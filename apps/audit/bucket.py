"""The bucket of checkpoints and archived entries: each key written once, read by the oldest version that counts.

Object lock keeps a version, but a delete marker hides it from a plain list, and a newer version from a plain read. So
versions are listed, and of each key the oldest that the platform signed counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from apps.common import clock
from apps.common.aws import client
from apps.common.errors import Unavailable

PREFIX = "checkpoints/"
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}


class CheckpointsUnavailable(Unavailable):
    """The bucket of checkpoints does not answer, or is not there."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A key of the bucket: the versions of the object there, the oldest first, and whether a marker hides them."""

    key: str
    versions: tuple[str, ...]
    is_hidden: bool = False

    @property
    def number(self) -> int:
        """The number of the checkpoint that belongs here; 0 for a key of another form."""
        text = self.key.removeprefix(PREFIX).removesuffix(".json")
        return int(text) if text.isascii() and text.isdecimal() and self.key == key_of(int(text)) else 0


def key_of(number: int) -> str:
    """Return the key of a checkpoint; in their order keys are in that of the numbers."""
    return f"{PREFIX}{number:012d}.json"


def write(number: int, content: bytes) -> bool:
    """Write a checkpoint once, locked; return False where the key is taken.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    return put(key_of(number), content, media_type="application/json")


def put(key: str, content: bytes, *, media_type: str, over: bool = False) -> bool:
    """Write an object, locked; return False where the key is taken, unless it is written ``over`` what is there.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    until = clock.now() + timedelta(days=settings.CHECKPOINT_LOCK_DAYS)
    call: Any = client("s3").put_object
    try:
        call(
            Bucket=settings.CHECKPOINTS_BUCKET,
            Key=key,
            Body=content,
            ContentType=media_type,
            ObjectLockMode=settings.CHECKPOINT_LOCK_MODE,
            ObjectLockRetainUntilDate=until,
            ChecksumAlgorithm="SHA256",
            **({} if over else {"IfNoneMatch": "*"}),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in _TAKEN:
            return False
        raise _unavailable(error) from error
    except BotoCoreError as error:
        raise _unavailable(error) from error
    return True


def slots(*, after: int = 0) -> Iterator[Slot]:
    """Yield the keys of checkpoints that follow a number, in their order.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    yield from keys(PREFIX, after=_marker(after))


def keys(prefix: str, *, after: str = "") -> Iterator[Slot]:
    """Yield the keys under a prefix that follow another, in their order.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    versions: dict[str, list[str]] = {}
    hidden: set[str] = set()
    for page in _listing(prefix, after):
        for version in page.get("Versions", []):  # newest first within a key
            versions.setdefault(version["Key"], []).insert(0, version["VersionId"])
        for marker in page.get("DeleteMarkers", []):
            versions.setdefault(marker["Key"], [])
            hidden.add(marker["Key"])
    for key in sorted(versions):
        yield Slot(key, tuple(versions[key]), key in hidden)


def is_any(*, after: int = 0, prefix: str = PREFIX) -> bool:
    """Return whether there is any key under a prefix, of checkpoints one that follows a number.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    answer = _list(prefix, _marker(after), "", limit=1)
    return bool(answer.get("Versions") or answer.get("DeleteMarkers"))


def read(slot: Slot, version: str, *, limit: int) -> bytes:
    """Read one version of an object, up to a limit of bytes.

    Raises:
        CheckpointsUnavailable: the bucket does not answer, or refuses.
    """
    try:
        answer: Any = client("s3").get_object(
            Bucket=settings.CHECKPOINTS_BUCKET, Key=slot.key, VersionId=version
        )
        return bytes(answer["Body"].read(limit))
    except (ClientError, BotoCoreError) as error:
        raise _unavailable(error) from error


def _listing(prefix: str, after: str) -> Iterator[Mapping[str, Any]]:
    """Yield listings of all versions. boto3's paginator begins at no key of ours."""
    key, version = after, ""
    while True:
        answer = _list(prefix, key, version)
        yield answer
        if not answer.get("IsTruncated"):
            return
        key, version = answer["NextKeyMarker"], answer.get("NextVersionIdMarker", "")


def _list(prefix: str, key: str, version: str, *, limit: int = 1000) -> Mapping[str, Any]:
    markers = {"KeyMarker": key, "VersionIdMarker": version}
    given = {name: value for name, value in markers.items() if value}
    call: Any = client("s3").list_object_versions
    try:
        answer: Mapping[str, Any] = call(
            Bucket=settings.CHECKPOINTS_BUCKET, Prefix=prefix, MaxKeys=limit, **given
        )
    except (ClientError, BotoCoreError) as error:
        raise _unavailable(error) from error
    return answer


def _marker(number: int) -> str:
    return key_of(number) if number else ""


def _unavailable(error: Exception) -> CheckpointsUnavailable:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return CheckpointsUnavailable(
        f"The bucket of checkpoints and archived entries {settings.CHECKPOINTS_BUCKET} cannot be used ({code}). It has to exist, versioned and"
        " with object lock."
    )
