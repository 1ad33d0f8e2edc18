"""From upload to encrypted file, whatever fails, comes twice, or comes in another order."""

import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from unittest import mock

import pytest
from botocore.client import BaseClient
from botocore.response import StreamingBody
from django.conf import settings as django_settings

from apps.audit.services import entries_page
from apps.audit.verification import verify
from apps.common.aws import client
from apps.custody import retirement
from apps.detections import services as detections
from apps.files import names, services
from apps.files.states import FileStatus
from apps.files.store import FileTable
from apps.files.uploads import pipeline
from apps.keys import services as keys
from apps.sessions import finals
from apps.sessions import services as sessions
from apps.sessions.records import SessionStatus
from apps.sessions.store import FinalKeyTable, QuantumKeyTable, SessionTable
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, forget_everything
from tests.events import object_created
from tests.faults import TELLING, Fault, injected, watched
from tests.sessions.ready import long
from tests.tables import rows, save, versions
from tests.threads import together
from tests.uploads import Upload, deliver, plaintext_of, put, record_of, registered


@pytest.fixture
def plenty(pool):
    """Quantum keys for 128 processes: each that ends keeps a block of them for a minute."""
    return [long(1024), long(1024)]


@pytest.fixture
def small_parts(monkeypatch):
    """Multipart uploads of small objects."""
    monkeypatch.setattr("apps.files.bodies.objects.PART_BYTES", 40_000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


def open_multipart_uploads() -> int:
    """How many were begun in the encrypted bucket and neither completed nor ended."""
    found = client("s3").list_multipart_uploads(Bucket=django_settings.ENCRYPTED_BUCKET)
    return len(found.get("Uploads", []))


def end_multipart_uploads() -> None:
    bucket = django_settings.ENCRYPTED_BUCKET
    for left in client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        client("s3").abort_multipart_upload(Bucket=bucket, Key=left["Key"], UploadId=left["UploadId"])


def quantum_keys_used_twice() -> list[str]:
    rows = [FileTable.get(row.file_id) for row in FileTable.by_feed.query("all#0")]  # the index has keys only
    used = Counter(row.quantum_key_id for row in rows if row.quantum_key_id)
    return [key_id for key_id, times in used.items() if times > 1]


@pytest.fixture
def removed_too_early(aws) -> Iterator[list[str]]:
    """Plaintexts that were removed before their package could be read; ``uploads`` are looked after."""
    early: list[str] = []

    def around(call, aws, operation, arguments):
        if operation == "DeleteObject" and arguments["Bucket"] == django_settings.UPLOADS_BUCKET:
            upload = Upload(arguments["Key"], b"", arguments["VersionId"], {})
            with mock.patch.object(BaseClient, "_make_api_call", call):
                if not upload.is_gone and plaintext_of(upload.file_id) != content_of(upload):
                    early.append(upload.key)
        return call(aws, operation, arguments)

    with watched(around):
        yield early


def content_of(upload: Upload) -> bytes:
    """The plaintext object's bytes."""
    return (
        client("s3")
        .get_object(Bucket=django_settings.UPLOADS_BUCKET, Key=upload.key, VersionId=upload.version)["Body"]
        .read()
    )


@requirement("C1", "I4", "I3")
@pytest.mark.parametrize("fault", TELLING)
def test_no_single_failed_call_loses_an_upload(fault, api, plenty, removed_too_early, each_call):
    def prepared():
        upload = registered(api)
        forget_everything()  # a fresh process makes the most calls
        return upload

    uploads = []
    for place, upload in each_call(
        "upload event", fault, prepared, lambda upload: handler(upload.event, None)
    ):
        deliver(upload.event)
        assert upload.is_safe, place
        uploads.append(upload)
    assert len(uploads) > 10, "the pipeline makes more calls than that"
    assert removed_too_early == []
    assert quantum_keys_used_twice() == []
    assert verify().problems == []
    assert uploads[0].is_safe, "a later upload does no harm to an earlier one"


@requirement("C1", "I4", "I3")
@pytest.mark.parametrize("fault", [Fault.LOST, pytest.param(Fault.REPEATED, marks=pytest.mark.slow)])
def test_no_single_failed_call_loses_an_object_in_parts_or_leaves_parts(
    fault, plenty, small_parts, removed_too_early, each_call
):
    def prepared():
        forget_everything()
        return put(f"dropped/{uuid.uuid4()}", os.urandom(100_000))

    for place, upload in each_call(
        "upload event", fault, prepared, lambda upload: handler(upload.event, None)
    ):
        # One whose creation was not answered, or was asked for twice, has no name to end it by
        assert open_multipart_uploads() <= ("CreateMultipartUpload" in place), place
        end_multipart_uploads()
        deliver(upload.event)
        assert upload.is_safe, place
    assert removed_too_early == []
    assert quantum_keys_used_twice() == []


@requirement("I4")
def test_no_failed_call_of_the_redelivery_loses_an_upload_either(api, plenty, removed_too_early, each_call):
    """The first delivery committed, and never knew."""

    def prepared():
        upload = registered(api)
        # The first transaction reserves the quantum key, the second writes the record
        with injected(Fault.LOST, nth=2, operation="TransactWriteItems"), suppress(ExceptionGroup):
            handler(upload.event, None)
        assert services.find(upload.file_id, actor=TESTS).status is FileStatus.ENCRYPTED
        return upload

    for place, upload in each_call(
        "upload event", Fault.LOST, prepared, lambda upload: handler(upload.event, None)
    ):
        deliver(upload.event)
        assert upload.is_safe, place
    assert removed_too_early == []


@requirement("I4")
def test_a_duplicate_event_changes_nothing(api, stock):
    upload = registered(api)
    for _ in range(3):
        deliver(upload.event)
    assert upload.is_safe
    assert len(versions(django_settings.ENCRYPTED_BUCKET)) == 1
    assert len(rows(QuantumKeyTable.Meta.table_name)) == 1


@requirement("I4", "I3")
def test_events_delivered_at_once_make_one_file(api, stock, removed_too_early):
    upload = registered(api, os.urandom(200_000))
    together(4, lambda: handler(upload.event, None))
    deliver(upload.event)
    assert upload.is_safe
    assert removed_too_early == []
    assert len(versions(django_settings.ENCRYPTED_BUCKET)) == 1, (
        "the bodies of those who were slower are removed"
    )
    assert len(rows(FileTable.Meta.table_name)) == 1


@requirement("I4")
def test_an_object_deleted_before_its_event_leaves_nothing_to_do(api, stock):
    upload = registered(api)
    client("s3").delete_object(
        Bucket=django_settings.UPLOADS_BUCKET, Key=upload.key, VersionId=upload.version
    )
    deliver(upload.event)
    assert services.find(upload.file_id, actor=TESTS).status is FileStatus.AWAITING_UPLOAD
    assert rows(QuantumKeyTable.Meta.table_name) == []


@requirement("I4")
def test_an_object_hidden_by_a_delete_marker_is_still_encrypted(api, stock):
    upload = registered(api)
    client("s3").delete_object(Bucket=django_settings.UPLOADS_BUCKET, Key=upload.key)
    deliver(upload.event)
    assert upload.is_safe


@requirement("C1", "I8")
@pytest.mark.parametrize(
    "key",
    [
        "plain.txt", "a b.txt", "a+b.txt", "a%20b.txt", "a%2Bb%.txt", "Größe, übel.pdf", "日本/語.txt", "uploads/", "/", "//",
        "uploads/not-registered", "uploads/../../etc/passwd", "..", "a\nb", "a&b=c;d,e'\"", "🔑" * 50, "x" * 1000,
    ],
)  # fmt: skip
def test_an_object_dropped_under_any_key_is_encrypted(stock, key):
    upload = put(key, key.encode())
    deliver(upload.event)
    assert upload.is_safe
    file = services.find(upload.file_id, actor=TESTS)
    assert file.owner == django_settings.UPLOADS_OWNER
    assert (file.name, file.source_path) == (names.of_key(key), key)
    assert file.body["key"].startswith(f"files/{file.file_id}/"), "a name is never part of a key"


@requirement("C1", "C9")
@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 16 * 1024 + 1, 9 * 2**20, 16 * 2**20])
def test_a_file_of_any_size_comes_back(api, stock, size):
    upload = registered(api, random.randbytes(size))
    deliver(upload.event)
    assert upload.is_safe
    file = record_of(upload.file_id)
    assert file.size == size
    assert versions(django_settings.ENCRYPTED_BUCKET)[0]["Size"] == file.ciphertext_size
    assert open_multipart_uploads() == 0


@requirement("I4", "C9")
@pytest.mark.parametrize("missing", [1, 50_000, 99_999])
def test_a_download_that_breaks_off_is_not_taken_for_a_shorter_file(api, stock, missing):
    content = os.urandom(100_000)
    upload = registered(api, content)

    def around(call, aws, operation, arguments):
        answer = call(aws, operation, arguments)
        if operation == "GetObject":
            answer["Body"] = StreamingBody(BytesIO(content[:-missing]), len(content))
        return answer

    with watched(around), pytest.raises(ExceptionGroup):
        handler(upload.event, None)
    assert not upload.is_gone
    deliver(upload.event)
    assert upload.is_safe


@requirement("I4")
def test_a_body_that_was_not_stored_whole_is_not_committed(api, stock):
    upload = registered(api)

    def around(call, aws, operation, arguments):
        if operation == "PutObject":
            arguments = {**arguments, "Body": arguments["Body"][:-1]}
        return call(aws, operation, arguments)

    with watched(around), pytest.raises(ExceptionGroup):
        handler(upload.event, None)
    assert not upload.is_gone
    deliver(upload.event)
    assert upload.is_safe


@requirement("I4")
def test_events_of_another_bucket_are_refused(stock):
    """What is encrypted here is removed there: the encrypted bucket's own objects above all."""
    upload = put("a", b"x")
    deliver(upload.event)
    (body,) = versions(django_settings.ENCRYPTED_BUCKET)
    event = object_created(body["Key"], version=body["VersionId"])
    event["Records"][0]["s3"]["bucket"]["name"] = django_settings.ENCRYPTED_BUCKET
    with pytest.raises(ExceptionGroup):
        handler(event, None)
    assert upload.is_safe


@requirement("C1")
def test_other_events_of_the_bucket_are_left_alone(api, stock):
    upload = registered(api)
    upload.event["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    handler(upload.event, None)
    assert not upload.is_gone


@requirement("C1", "I4")
def test_of_an_event_with_several_objects_one_failure_does_not_stop_the_others(api, stock):
    uploads = [registered(api) for _ in range(3)]
    event = {"Records": [record for upload in uploads for record in upload.event["Records"]]}
    with injected(Fault.REFUSED, nth=2), pytest.raises(ExceptionGroup):
        handler(event, None)
    assert [upload.is_gone for upload in uploads] == [False, True, True]
    deliver(event)
    assert all(upload.is_safe for upload in uploads)


@requirement("C1", "I8")
def test_an_upload_over_the_limit_is_rejected_with_the_reason(api, stock, settings):
    settings.UPLOAD_MAX_BYTES = 10
    upload = registered(api, b"x" * 11)
    for _ in range(2):
        deliver(upload.event)
    shown = api.get(f"files/{upload.file_id}").json()
    assert shown["status"] == "rejected"
    assert "11 bytes" in shown["reason"]
    assert upload.is_gone
    assert api.get(f"files/{upload.file_id}/content").status_code == 409


@requirement("C1", "I4")
def test_the_sweep_encrypts_what_no_event_told_of(api, stock):
    lost = [registered(api), registered(api), put("dropped", b"x")]
    assert pipeline.finish_overdue(seconds=60, actor=TESTS) == 0, "the events may still come"
    assert pipeline.finish_overdue(seconds=-1, actor=TESTS) == 3
    assert all(upload.is_safe for upload in lost)
    assert pipeline.finish_overdue(seconds=-1, actor=TESTS) == 0


@requirement("C1", "I4")
def test_the_sweep_removes_a_plaintext_whose_removal_failed(api, stock):
    upload = registered(api)

    def around(call, aws, operation, arguments):
        if operation == "DeleteObject":
            raise ConnectionError
        return call(aws, operation, arguments)

    with watched(around), pytest.raises(ExceptionGroup):
        handler(upload.event, None)
    assert not upload.is_gone
    assert pipeline.finish_overdue(seconds=-1, actor=TESTS) == 1
    assert upload.is_safe
    assert len(versions(django_settings.ENCRYPTED_BUCKET)) == 1, "it was not encrypted again"


@requirement("I4")
def test_one_upload_that_cannot_be_encrypted_does_not_keep_the_sweep_from_the_others(api, stock):
    stuck, others = put("a stuck one", b"x"), [put("b", b"y"), put("c", b"z")]

    def around(call, aws, operation, arguments):
        if operation == "GetObject" and arguments["Key"] == stuck.key:
            raise ConnectionError
        return call(aws, operation, arguments)

    with watched(around), pytest.raises(ExceptionGroup):
        pipeline.finish_overdue(seconds=-1, actor=TESTS)
    assert all(upload.is_safe for upload in others)
    assert not stuck.is_gone


@requirement("C1", "C5")
def test_an_upload_waits_for_quantum_keys_rather_than_going_without(api, pool):
    upload = registered(api)
    with pytest.raises(ExceptionGroup):
        handler(upload.event, None)
    assert not upload.is_gone
    detections.judge_overdue(seconds=-1, actor=TESTS)
    deliver(upload.event)
    assert upload.is_safe


@requirement("C5", "I4")
def test_an_upload_waits_for_a_pool_key_rather_than_going_without(api, stock, pool, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(keys, "refill", lambda **_: 0)  # the refill that follows at once fails
        for key in pool:
            retirement.revoke(key.key_id, reason="test", actor=TESTS, below_low_water=True)
    upload = registered(api)
    with pytest.raises(ExceptionGroup):
        handler(upload.event, None)
    assert not upload.is_gone
    keys.create(1, actor=TESTS)
    deliver(upload.event)
    assert upload.is_safe


@requirement("B5", "C3")
def test_a_file_whose_session_was_compromised_is_not_opened(api, stock):
    upload = registered(api)
    deliver(upload.event)
    found = sessions.find(stock.session_id, actor=TESTS)
    save(SessionTable.of(replace(found, status=SessionStatus.COMPROMISED)))
    FinalKeyTable.get(stock.session_id).delete()
    finals._kept.clear()
    answer = api.get(f"files/{upload.file_id}/content")
    assert answer.status_code == 409
    assert "compromised" in answer.json()["detail"]


@requirement("D1", "C1")
def test_an_upload_is_audited_from_announcement_to_reading(api, stock):
    upload = registered(api)
    deliver(upload.event)
    api.get(f"files/{upload.file_id}/content")
    entries = entries_page(limit=10, by="file", value=upload.file_id).records
    assert [(entry.event, entry.actor) for entry in reversed(entries)] == [
        ("file.registered", str(api.actor)),
        ("quantum_key.reserved", "system:encryptor"),
        ("file.encrypted", "system:encryptor"),
        ("file.read", str(api.actor)),
    ]
    assert {entry.session_id for entry in entries} == {None, stock.session_id}
    assert (
        next(e for e in entries if e.event == "file.encrypted").detail["plaintext_removed"] == upload.version
    )
