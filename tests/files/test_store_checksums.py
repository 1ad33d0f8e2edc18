"""Bytes that changed between their PUT and their encryption are not encrypted, whichever checksum the store keeps."""

import base64
import hashlib
import os
import random
import zlib
from functools import partial
from io import BytesIO
from typing import Any

import anycrc
import pytest
from botocore.response import StreamingBody
from django.conf import settings as django_settings

from apps.common.aws import client
from apps.files.bodies.objects import ObjectRef
from apps.files.bodies.reader import ObjectDamaged, ObjectSource, stream
from apps.files.states import FileStatus
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.faults import watched
from tests.tables import versions
from tests.uploads import deliver, put, record_of, registered

CONTENT = random.Random(1).randbytes(100_000)
UPLOADS = django_settings.UPLOADS_BUCKET
md5 = partial(hashlib.md5, usedforsecurity=False)  # as S3's ETags are
MD5_OF_PARTS = md5(b"".join(md5(CONTENT[n : n + 40_000]).digest() for n in (0, 40_000, 80_000))).hexdigest()
CRC64 = anycrc.Model("CRC64-NVME")


def flipped(content, place=50_000):
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


def base64_of(number, size):
    return base64.b64encode(number.to_bytes(size, "big")).decode()


# What S3 may say of CONTENT, beside or in place of the ETag.
TOLD = {
    "etag": {"ETag": f'"{md5(CONTENT).hexdigest()}"'},
    "crc64nvme": {"ChecksumCRC64NVME": base64_of(CRC64.calc(CONTENT), 8), "ETag": '"other"'},
    "crc32": {"ChecksumCRC32": base64_of(zlib.crc32(CONTENT), 4), "ETag": '"other"'},
    "crc32c": {"ChecksumCRC32C": base64_of(anycrc.Model("CRC32-ISCSI").calc(CONTENT), 4), "ETag": '"other"'},
    "sha256": {
        "ChecksumSHA256": base64.b64encode(hashlib.sha256(CONTENT).digest()).decode(),
        "ETag": '"other"',
    },
    "parts": {"ETag": f'"{MD5_OF_PARTS}-3"'},
}


def answering(content, told, part_sizes=(40_000, 40_000, 20_000)):
    """S3 gives this content, and says that of it."""

    def around(call, aws, operation, arguments):
        if operation == "GetObject":
            body = StreamingBody(BytesIO(content), len(content))
            return {"Body": body, "ContentLength": len(content), **told}
        if operation == "HeadObject" and "PartNumber" in arguments:
            return {"ContentLength": part_sizes[arguments["PartNumber"] - 1]}
        return call(aws, operation, arguments)

    return watched(around)


def read(content, told, **more):
    with answering(content, told, **more):
        source, found = stream(ObjectRef("any", "key", "1"), checked=True), b""
        while part := source.read(7_000):
            found += part
    return found


@requirement("C1", "I4")
@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD.keys())
def test_a_flipped_byte_is_noticed_by_whatever_the_store_says(told, aws):
    assert read(CONTENT, told) == CONTENT
    with pytest.raises(ObjectDamaged):
        read(flipped(CONTENT), told)


@requirement("C1", "I4")
@pytest.mark.parametrize(
    "told",
    [
        {"ETag": '"0"'},
        {"ETag": f'"{"0" * 32}"', "SSEKMSKeyId": "a key"},
        {"ETag": '"other"', "ChecksumCRC32": "AAAAAA==-3", "ChecksumType": "COMPOSITE"},
        {"ETag": f'"{"0" * 32}-4"'},
    ],
)
def test_what_says_nothing_of_the_bytes_refuses_nothing(told, aws):
    assert read(CONTENT, told) == CONTENT


@requirement("C1", "I4")
def test_parts_of_other_sizes_refuse_nothing(aws):
    """Their ETag cannot be made from the bytes alone."""
    sizes = (40_000, 39_999, 20_001)
    assert read(CONTENT, {"ETag": f'"{"0" * 32}-3"'}, part_sizes=sizes) == CONTENT


@requirement("C1", "I4")
def test_it_is_checked_across_a_connection_that_broke_off(aws):
    told = TOLD["crc64nvme"]
    with answering(CONTENT, told):
        source = ObjectSource(ObjectRef("any", "key", "1"), checked=True)
        assert source.read(30_000) == CONTENT[:30_000]
        source._reopenings += 1
        source._open()
        found = b""
        while part := source.read(50_000):
            found += part
    assert found == CONTENT[30_000:]


@requirement("C1", "I4")
def test_bytes_that_change_on_their_way_are_read_again(api, stock):
    upload = registered(api, CONTENT)
    answers: list[str] = []

    def around(call, aws, operation, arguments):
        answer = call(aws, operation, arguments)
        if operation == "GetObject" and not answers:
            answers.append(operation)
            answer["Body"] = StreamingBody(BytesIO(flipped(CONTENT)), len(CONTENT))
        return answer

    with watched(around), pytest.raises(ExceptionGroup):
        handler(upload.event, None)
    assert record_of(upload.file_id).status is FileStatus.AWAITING_UPLOAD
    assert versions(django_settings.ENCRYPTED_BUCKET) == []
    deliver(upload.event)
    assert upload.is_safe


@requirement("C1", "I4", "I8")
def test_an_object_that_was_damaged_in_the_store_is_rejected_with_the_reason(api, stock):
    upload = registered(api, CONTENT)

    def around(call, aws, operation, arguments):
        answer = call(aws, operation, arguments)
        if operation == "GetObject":
            answer["Body"] = StreamingBody(BytesIO(flipped(CONTENT)), len(CONTENT))
        return answer

    with watched(around):
        handler(upload.event, None)
    shown = api.get(f"files/{upload.file_id}").json()
    assert (shown["status"], "does not have the checksum" in shown["reason"]) == ("rejected", True)
    assert versions(django_settings.ENCRYPTED_BUCKET) == []


@requirement("C1")
def test_an_object_in_parts_of_a_real_store_is_encrypted(stock, monkeypatch):
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    s3, content = client("s3"), os.urandom(25_000)
    upload_id = s3.create_multipart_upload(Bucket=UPLOADS, Key="parts")["UploadId"]
    parts: list[Any] = []
    for number, part in enumerate((content[:10_000], content[10_000:20_000], content[20_000:]), 1):
        made = s3.upload_part(Bucket=UPLOADS, Key="parts", UploadId=upload_id, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": made["ETag"]})
    s3.complete_multipart_upload(
        Bucket=UPLOADS, Key="parts", UploadId=upload_id, MultipartUpload={"Parts": parts}
    )
    [version] = versions(UPLOADS)
    upload = put("other", b"x")
    upload.key, upload.version, upload.content = "parts", version["VersionId"], content
    upload.event["Records"][0]["s3"]["object"] |= {"key": "parts", "versionId": version["VersionId"]}
    deliver(upload.event)
    assert upload.is_safe
