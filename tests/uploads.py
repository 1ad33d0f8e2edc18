"""Uploads: announced over the API, put by hand, their events delivered as AWS does."""

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from apps.common.aws import client
from apps.files.bodies.objects import UPLOADS_PREFIX
from apps.files.reading import content as reading
from apps.files.store import FileTable, find_file
from apps.files.uploads.dropped import NAMESPACE
from qkdplatform.lambda_handler import handler
from tests.conftest import TESTS
from tests.events import object_created
from tests.tables import versions

DELIVERIES = 3  # of an asynchronous event: once, and two retries


@dataclass
class Upload:
    """One object of the uploads bucket, and the event that tells of it."""

    key: str
    content: bytes = field(repr=False)
    version: str
    event: dict[str, Any] = field(repr=False)

    @property
    def file_id(self) -> str:
        """Of the file that it becomes: the announced one, or one derived from bucket, key and version."""
        announced = self.key.removeprefix(UPLOADS_PREFIX)
        file = find_file(announced) if announced and self.key.startswith(UPLOADS_PREFIX) else None
        if file is not None and file.source.get("version") in {"", self.version}:
            return announced
        return str(uuid.uuid5(NAMESPACE, f"{settings.UPLOADS_BUCKET}/{self.key}/{self.version}"))

    @property
    def is_gone(self) -> bool:
        found = versions(settings.UPLOADS_BUCKET)
        return not any(v["VersionId"] == self.version and v["Key"] == self.key for v in found)

    @property
    def is_safe(self) -> bool:
        """Encrypted and readable, and the plaintext no longer there."""
        return self.is_gone and plaintext_of(self.file_id) == self.content


def put(key: str, content: bytes) -> Upload:
    """An object in the uploads bucket."""
    answer = client("s3").put_object(Bucket=settings.UPLOADS_BUCKET, Key=key, Body=content)
    return Upload(key, content, answer["VersionId"], object_created(key, version=answer["VersionId"]))


def registered(api: Any, content: bytes | None = None, **fields: Any) -> Upload:
    """An upload that a client announced."""
    answer = api.post("files", {"name": "a file.bin", **fields})
    assert answer.status_code == 201, answer.content
    return put(
        UPLOADS_PREFIX + answer.json()["file"]["file_id"], os.urandom(100) if content is None else content
    )


def deliver(event: dict[str, Any]) -> None:
    """Deliver an event as AWS does: again after a failure, three times at most."""
    for _ in range(DELIVERIES - 1):
        with suppress(Exception):
            handler(event, None)
            return
    handler(event, None)


def plaintext_of(file_id: str) -> bytes:
    """What the platform gives back of a file."""
    return reading.whole(reading.read(file_id, actor=TESTS)[1])


def record_of(file_id: str) -> Any:
    """The record of a file that exists: a document, a version or an upload."""
    return FileTable.get(file_id, consistent_read=True).record()
