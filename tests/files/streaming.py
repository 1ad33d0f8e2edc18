"""The pipeline on an object of any size, in a process of its own: its memory, CPU and time.

    python -m tests.files.streaming <bytes> [crc|md5]

The object is generated as it is read and forgotten as it is written; DynamoDB is moto's. With a checksum, as S3
or the embedded store keeps it, the object is compared with that. Prints a JSON object.
"""

import base64
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import anycrc
from botocore.client import BaseClient
from django.conf import settings
from moto import mock_aws

from apps.common.dynamodb import all_tables
from apps.common.root_keys import configured
from apps.detections import services as detections
from apps.files.bodies.objects import ObjectRef
from apps.files.records import Document
from apps.files.uploads import pipeline
from apps.keys import services as keys
from apps.sessions import services as sessions
from tests.conftest import TESTS

BLOCK = memoryview(os.urandom(2**20))


class Generated:
    """An object's body that is made while it is read."""

    def __init__(self, size: int) -> None:
        self.size = self.left = size

    def readinto(self, buffer: memoryview) -> int:
        # By its place, so that the bytes are the same however they are read
        start = (self.size - self.left) % len(BLOCK)
        count = min(len(buffer), self.left, len(BLOCK) - start)
        buffer[:count] = BLOCK[start : start + count]
        self.left -= count
        return count


class Store:
    """S3 with one object to read, whatever its key, that keeps nothing but lengths."""

    def __init__(self, size: int, checksum: Mapping[str, str] | None = None) -> None:
        self.size, self.written = size, 0
        self.told: dict[str, Any] = {"ETag": "etag"} | dict(checksum or {})

    def answers(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a call of S3; None where it is for another service."""
        if operation == "HeadObject":
            encrypted = arguments["Bucket"] == settings.ENCRYPTED_BUCKET
            return {"ContentLength": self.written if encrypted else self.size}
        if operation == "GetObject":
            return {"Body": Generated(self.size), "ContentLength": self.size, **self.told}
        if operation in {"UploadPart", "PutObject"}:
            self.written += len(arguments["Body"])
            return {"ETag": "etag"}
        others: dict[str, dict[str, Any]] = {
            "CreateMultipartUpload": {"UploadId": "upload"},
            "CompleteMultipartUpload": {},
            "DeleteObject": {},
            "GetObjectTagging": {"TagSet": []},
            "ListObjectVersions": {"Versions": []},
        }
        return others.get(operation)


@contextmanager
def answered_by(store: Store) -> Iterator[None]:
    """Calls of S3 are answered by the store, others as ever."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def around(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        s3 = client.meta.service_model.service_name == "s3"
        answer = store.answers(operation, arguments) if s3 else None
        return call(client, operation, arguments) if answer is None else answer

    with mock.patch.object(BaseClient, "_make_api_call", around):
        yield


def checksum_of(size: int, kind: str) -> dict[str, str]:
    """What S3 would say of a generated object: a CRC, the MD5 as ETag, or nothing."""
    crc, md5, source = anycrc.Model("CRC64-NVME"), hashlib.md5(usedforsecurity=False), Generated(size)
    value, buffer = crc.calc(b""), memoryview(bytearray(len(BLOCK)))
    while kind and (count := source.readinto(buffer)):
        value = crc.calc(buffer[:count], value)
        md5.update(buffer[:count])
    told = {
        "crc": {"ChecksumCRC64NVME": base64.b64encode(value.to_bytes(8, "big")).decode()},
        "md5": {"ETag": f'"{md5.hexdigest()}"'},
    }
    return told.get(kind, {})


def encrypted(size: int, name: str, checksum: Mapping[str, str] | None = None) -> int:
    """Encrypt a generated object; the bytes written."""
    store = Store(size, checksum)
    with answered_by(store):
        file = pipeline.encrypt_uploaded(ObjectRef(settings.UPLOADS_BUCKET, name, "1"), actor=TESTS)
    assert isinstance(file, Document)
    assert file.size == size
    assert file.ciphertext_size == store.written
    return store.written


def peak() -> int:
    """The most memory that this process has had, in bytes.

    Not ``ru_maxrss``: that is never below what the process had that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main() -> None:
    settings.UPLOAD_MAX_BYTES = 2**40
    with tempfile.TemporaryDirectory() as folder, mock_aws():
        settings.ROOT_KEY = f"local:{folder}/root.key"
        configured.root_key.cache_clear()
        for table in all_tables():
            table.create_table(wait=False)
        keys.create(2, actor=TESTS)
        made = sessions.generate(sessions.GenerateRequest(key_length=2048, error_rate=0.01), actor=TESTS)
        detections.judge(made.session_id, actor=TESTS)
        encrypted(1000, "warm")
        size, kind = int(sys.argv[1]), "".join(sys.argv[2:])
        checksum = checksum_of(size, kind)
        idle, wall, cpu = peak(), time.perf_counter(), time.process_time()
        encrypted(size, "large", checksum)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    found = {"size": size, "seconds": wall, "cpu_seconds": cpu, "above_idle": peak() - idle}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
