"""What interrupted work leaves is found and removed, and nothing else is; long encryptions are jobs."""

import os

import pytest
import requests
from celery.app.task import Context
from django.conf import settings as django_settings

from apps.access import principals
from apps.audit.services import entries_page
from apps.common import clock
from apps.common.aws import client
from apps.files import store, tasks
from apps.files.bodies import encrypted, objects
from apps.files.life import archive, orphans, sweeping
from apps.files.reading import downloads
from apps.files.records import StorageClass
from apps.files.states import FileStatus
from apps.files.uploads import client_side, parts
from apps.files.uploads.announce import UploadMethod
from apps.jobs import control, heartbeats
from apps.jobs import services as jobs
from apps.jobs.messages import VISIBLE_SECONDS
from apps.jobs.records import SILENT_SECONDS, JobState
from apps.sessions import quantum_keys, reservations
from apps.sessions.records import QuantumKeyState
from apps.sessions.store import QuantumKeyTable
from qkdplatform.lambda_handler import handler
from qkdplatform.schedules import sweep
from tests import requirement
from tests.conftest import TESTS
from tests.faults import watched
from tests.queues import into
from tests.tables import versions
from tests.uploads import plaintext_of, put, record_of, registered
from tests.waiting import wait_for

ENCRYPTED = django_settings.ENCRYPTED_BUCKET


class Killed(BaseException):
    """As a kill -9: nothing in the process handles it."""


def killed_at(operation, do):
    """Do it until this call; the worker is gone then, and its clean-up with it."""

    def around(call, aws, name, arguments):
        if name in {operation, "AbortMultipartUpload"}:
            raise Killed
        return call(aws, name, arguments)

    with watched(around), pytest.raises(Killed):
        do()


@requirement("I4", "C9")
def test_the_body_of_a_killed_worker_is_removed_and_its_key_discarded(api, stock, later):
    upload = registered(api, b"content")
    commits = []

    def around(call, aws, name, arguments):
        if name == "TransactWriteItems":
            commits.append(name)
            if len(commits) == 2:  # the first reserves the quantum key
                raise Killed
        return call(aws, name, arguments)

    with watched(around), pytest.raises(Killed):
        handler(upload.event, None)
    assert len(versions(ENCRYPTED)) == 1
    handler(upload.event, None)
    assert len(versions(ENCRYPTED)) == 2
    assert sweeping.end_reservations(actor=TESTS) == 0
    later(seconds=reservations.RESERVED_SECONDS + 60)
    assert sweeping.end_reservations(actor=TESTS) == 1
    [kept] = versions(ENCRYPTED)
    assert kept["Key"] == record_of(upload.file_id).body["key"]
    assert plaintext_of(upload.file_id) == b"content"
    taken = quantum_keys.keys_of(stock.session_id, limit=9).records
    assert sorted(key.state for key in taken) == [QuantumKeyState.DISCARDED, QuantumKeyState.USED]


def killed_between_body_and_commit(upload, before_put=lambda: None):
    """The worker is gone once its body is stored."""

    def around(call, aws, name, arguments):
        if name == "PutObject":
            before_put()
            call(aws, name, arguments)
            raise Killed
        return call(aws, name, arguments)

    with watched(around), pytest.raises(Killed):
        handler(upload.event, None)
    assert len(versions(ENCRYPTED)) == 1


def notes():
    return list(store.orphans_before(clock.now()))


@requirement("I4")
def test_the_body_of_an_attempt_goes_with_its_reservation_however_late_it_was_written(api, stock, later):
    upload = registered(api, b"content")
    killed_between_body_and_commit(upload, before_put=lambda: later(minutes=40))
    later(minutes=21)  # the reservation is an hour old, the body is not
    assert sweeping.end_reservations(actor=TESTS) == 1
    assert versions(ENCRYPTED) == []
    handler(upload.event, None)
    assert upload.is_safe


@requirement("I4")
def test_a_body_that_arrives_after_its_reservation_ended_is_removed(api, stock, later):
    upload = registered(api, b"content")

    def swept():
        later(seconds=reservations.RESERVED_SECONDS + 60)
        assert sweeping.end_reservations(actor=TESTS) == 1

    killed_between_body_and_commit(upload, before_put=swept)
    assert orphans.remove_due(actor=TESTS) == 0
    later(hours=2)
    assert orphans.remove_due(actor=TESTS) == 1
    assert versions(ENCRYPTED) == []
    assert notes() == []
    assert "body.removed" in {e.event for e in entries_page(limit=9, by="file", value=upload.file_id).records}
    handler(upload.event, None)
    assert upload.is_safe


@requirement("I4")
def test_an_attempt_of_more_than_an_hour_writes_nothing_and_begins_anew(api, stock, later):
    upload = registered(api, b"content")

    def around(call, aws, name, arguments):
        if name == "GetObject":
            later(seconds=reservations.RESERVED_SECONDS)
        return call(aws, name, arguments)

    with watched(around), pytest.raises(ExceptionGroup) as raised:
        handler(upload.event, None)
    assert isinstance(raised.value.exceptions[0], encrypted.AttemptTooLong)
    assert versions(ENCRYPTED) == []
    handler(upload.event, None)
    assert upload.is_safe


@requirement("I4")
@pytest.mark.parametrize("operation", ["TransactWriteItems", "ListObjectVersions", "DeleteObject"])
def test_an_interrupted_removal_is_taken_up_again(operation, api, stock, later):
    upload = registered(api, b"content")
    killed_between_body_and_commit(upload)
    later(seconds=reservations.RESERVED_SECONDS + 60)
    calls = []

    def around(call, aws, name, arguments):
        calls.append(name)
        if name == operation and (operation != "TransactWriteItems" or calls.count(name) == 2):
            raise OSError("the connection is gone")
        return call(aws, name, arguments)

    with watched(around), pytest.raises(ExceptionGroup):
        sweeping.end_reservations(actor=TESTS)
    assert len(versions(ENCRYPTED)) == 1
    for _ in range(2):
        later(hours=2)
        sweep()
    assert notes() == []
    assert upload.is_safe
    assert len(versions(ENCRYPTED)) == 1
    assert not any(QuantumKeyTable.by_reserved.query("all#0"))


@requirement("I4")
def test_an_attempt_that_commits_while_the_sweep_ends_it_keeps_its_body(api, stock, later, monkeypatch):
    upload = registered(api, b"content")
    stale = []

    def around(call, aws, name, arguments):
        if name == "PutObject":
            later(seconds=reservations.RESERVED_SECONDS + 60)
            stale.extend(reservations.stale_reservations())
        return call(aws, name, arguments)

    with watched(around):
        handler(upload.event, None)
    with monkeypatch.context() as patched, pytest.raises(ExceptionGroup):
        patched.setattr(reservations, "stale_reservations", lambda: stale)
        sweeping.end_reservations(actor=TESTS)
    later(hours=2)
    assert orphans.remove_due(actor=TESTS) == 1
    assert upload.is_safe


def sealed_upload(api, method):
    """A file that the client encrypts, its body sent; the URL that it was sent to."""
    target, _ = client_side.announce(name="local", actor=api.actor, method=method)
    file_id = target.file.file_id
    if method is UploadMethod.PUT:
        url = str(target.url)
    else:
        [(_, url)] = parts.part_urls(file_id, [1], actor=api.actor)
    assert requests.put(url, data=b"sealed", timeout=5).ok
    return file_id, url


@requirement("I4", "C9")
@pytest.mark.parametrize("method", [UploadMethod.PUT, UploadMethod.MULTIPART])
def test_a_local_upload_that_is_aborted_leaves_nothing(method, api, stock, later):
    file_id, url = sealed_upload(api, method)
    assert api.post(f"files/{file_id}/abort").json()["status"] == "rejected"
    assert versions(ENCRYPTED) == []
    assert client("s3").list_multipart_uploads(Bucket=ENCRYPTED).get("Uploads", []) == []
    if method is UploadMethod.PUT:
        assert requests.put(url, data=b"sealed again", timeout=5).ok  # the URL has not ended yet
        assert api.post(f"local-files/{file_id}/finish", {}).status_code == 409
    later(hours=2)
    sweep()
    assert versions(ENCRYPTED) == []
    assert notes() == []


@requirement("I4", "C9")
def test_a_local_upload_that_is_joined_but_never_finished_is_given_up_with_its_body(api, stock, later):
    file_id, _ = sealed_upload(api, UploadMethod.MULTIPART)
    parts.complete(file_id, size=6, actor=api.actor)
    later(hours=23)
    sweep()
    assert len(versions(ENCRYPTED)) == 1
    later(hours=2)
    sweep()
    assert record_of(file_id).status is FileStatus.REJECTED
    assert versions(ENCRYPTED) == []


@requirement("C9")
def test_the_parts_of_a_client_may_take_a_day(api, stock, later):
    sealed_upload(api, UploadMethod.MULTIPART)
    began = clock.now()

    def around(call, aws, name, arguments):
        answer = call(aws, name, arguments)
        for one in answer.get("Uploads", []) if name == "ListMultipartUploads" else []:
            one["Initiated"] = began  # moto says 2010
        return answer

    with watched(around):
        later(hours=23)
        assert sweeping.abort_stale_uploads() == 0
        later(hours=2)
        assert sweeping.abort_stale_uploads() == 1


@requirement("I4")
def test_no_version_of_a_document_is_taken_for_an_orphan(api, stock, later):
    upload = registered(api, b"one")
    file_id = upload.file_id
    handler(upload.event, None)
    for content in (b"two", b"three"):
        target = api.post(f"files/{file_id}/versions", {}).json()["file"]["file_id"]
        handler(put(f"uploads/{target}", content).event, None)
    api.post(f"files/{file_id}/archive", {})
    later(days=2)
    assert sweeping.end_reservations(actor=TESTS) == 0
    assert orphans.remove_due(actor=TESTS) == 0
    ids = [file_id, f"{file_id}.v2", f"{file_id}.v1"]
    assert [plaintext_of(file_id) for file_id in ids] == [b"three", b"two", b"one"]


@requirement("C9")
def test_parts_of_a_killed_worker_are_aborted(api, stock, later, monkeypatch):
    monkeypatch.setattr(objects, "PART_BYTES", 40_000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    upload = registered(api, os.urandom(200_000))
    killed_at("CompleteMultipartUpload", lambda: handler(upload.event, None))
    assert client("s3").list_multipart_uploads(Bucket=ENCRYPTED)["Uploads"]
    began = clock.now()

    def around(call, aws, name, arguments):
        answer = call(aws, name, arguments)
        for one in answer.get("Uploads", []) if name == "ListMultipartUploads" else []:
            one["Initiated"] = began  # moto says 2010
        return answer

    with watched(around):
        assert sweeping.abort_stale_uploads() == 0
        later(seconds=reservations.RESERVED_SECONDS + 60)
        assert sweeping.abort_stale_uploads() == 1
    assert client("s3").list_multipart_uploads(Bucket=ENCRYPTED).get("Uploads", []) == []


@requirement("C8")
def test_a_decrypted_copy_does_not_outlive_its_url_for_long(api, stock, later):
    upload = registered(api, b"content")
    handler(upload.event, None)
    downloads.publish(upload.file_id, actor=TESTS)
    assert sweeping.remove_downloads() == 0
    later(seconds=django_settings.PRESIGNED_SECONDS + reservations.RESERVED_SECONDS + 60)
    assert sweeping.remove_downloads() == 1
    assert versions(django_settings.DOWNLOADS_BUCKET) == []


@requirement("C1")
def test_an_upload_that_never_came_is_given_up(api, aws, later):
    file_id = api.post("files", {"name": "never"}).json()["file"]["file_id"]
    assert sweeping.give_up_uploads(actor=TESTS) == 0
    later(days=2)
    assert sweeping.give_up_uploads(actor=TESTS) == 1
    shown = api.get(f"files/{file_id}").json()
    assert (shown["status"], shown["reason"]) == ("rejected", "Nothing was uploaded in time.")
    assert sweeping.give_up_uploads(actor=TESTS) == 0


@requirement("E6", "I4")
@pytest.mark.parametrize("operation", ["CopyObject", "DeleteObject", "TransactWriteItems"])
def test_the_sweep_finishes_an_interrupted_move(operation, api, stock, later):
    upload = registered(api, b"cold")
    handler(upload.event, None)
    seen = []

    def around(call, aws, name, arguments):
        seen.append(name)
        if name == operation and (operation != "TransactWriteItems" or seen.count(name) == 2):
            raise Killed
        return call(aws, name, arguments)

    with watched(around), pytest.raises(Killed):
        archive.archive(upload.file_id, storage_class=StorageClass.GLACIER_IR, actor=TESTS)
    assert record_of(upload.file_id).status is FileStatus.ARCHIVING
    later(seconds=archive.FIRST_LOOK + 1)
    sweep()
    assert record_of(upload.file_id).status is FileStatus.ARCHIVED
    assert len(versions(ENCRYPTED)) == 1
    assert plaintext_of(upload.file_id) == b"cold"


@pytest.fixture
def sent(monkeypatch):
    """Ids of jobs sent to the worker."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.encrypt_upload, "apply_async", into(ids))
    return ids


@requirement("C9", "C1")
def test_a_large_upload_becomes_one_job_with_progress(api, stock, sent, settings, monkeypatch):
    settings.EVENT_UPLOAD_BYTES = 1000
    monkeypatch.setattr(encrypted, "PROGRESS_BYTES", 2**20)
    content = os.urandom(3 * 2**20)
    upload = registered(api, content)
    for _ in range(2):
        handler(upload.event, None)
    assert api.get(f"files/{upload.file_id}").json()["status"] == "awaiting_upload"
    [job_id] = sent
    told, tell = [], control.report

    def report(job, *, done, results=None):
        told.append(done)
        return tell(job, done=done, results=results)

    monkeypatch.setattr(control, "report", report)
    tasks.encrypt_upload(job_id)
    shown = api.get(f"jobs/{job_id}").json()
    assert (shown["state"], shown["done"], shown["total"]) == ("succeeded", 3, 3)
    assert told == [0, 1, 2]
    assert upload.is_safe
    tasks.encrypt_upload(job_id)
    assert upload.is_safe


def run_from_message(job_id, receipt):
    """As a worker runs it whose message came from SQS."""
    requests_of_task = tasks.encrypt_upload.request_stack
    requests_of_task.push(Context(properties={"delivery_tag": receipt}))
    try:
        tasks.encrypt_upload.run(job_id)
    finally:
        requests_of_task.pop()


@requirement("C9", "E8")
def test_a_groups_large_upload_is_a_job_of_the_group(api, other_api, stock, sent, settings):
    settings.EVENT_UPLOAD_BYTES = 1000
    group = principals.make_group("payroll", actor=TESTS).principal_id
    for member in (api, other_api):
        principals.change(str(member.actor), groups=[group], actor=TESTS)
    upload = registered(api, os.urandom(5000), owner=group)
    handler(upload.event, None)
    shown = other_api.get(f"jobs/{sent[0]}")
    assert (shown.status_code, shown.json()["kind"]) == (200, "encrypt_upload")
    assert jobs.find(sent[0], actor=TESTS).owner == group
    tasks.encrypt_upload(sent[0])
    assert upload.is_safe


@requirement("C9")
def test_the_message_of_a_long_job_is_kept_from_being_delivered_again(
    api, stock, sent, settings, monkeypatch
):
    settings.EVENT_UPLOAD_BYTES = 1000
    monkeypatch.setattr(encrypted, "PROGRESS_BYTES", 2**20)
    upload = registered(api, os.urandom(3 * 2**20))
    handler(upload.event, None)
    [job_id] = sent
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=settings.JOBS_QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=job_id)
    [message] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=1)["Messages"]
    hidden = []
    monkeypatch.setattr(heartbeats, "HIDDEN_SECONDS", 0)
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.01)

    def around(call, aws, name, arguments):
        if name == "ChangeMessageVisibility":
            hidden.append((arguments["ReceiptHandle"], arguments["VisibilityTimeout"]))
        return call(aws, name, arguments)

    write = encrypted.write

    def write_late(*arguments, **named):
        wait_for(lambda: len(hidden) > 1)
        return write(*arguments, **named)

    monkeypatch.setattr(encrypted, "write", write_late)
    with watched(around):
        run_from_message(job_id, message["ReceiptHandle"])
    assert set(hidden) == {(message["ReceiptHandle"], VISIBLE_SECONDS)}
    assert len(hidden) > 1  # at the start, then with each heartbeat
    assert upload.is_safe


@requirement("C9")
def test_a_message_that_cannot_be_kept_does_not_cost_the_work(api, stock, sent, settings, caplog):
    settings.EVENT_UPLOAD_BYTES = 1000
    upload = registered(api, os.urandom(5000))
    handler(upload.event, None)
    run_from_message(sent[0], "no such message")
    assert "may be delivered again" in caplog.text
    assert upload.is_safe


@requirement("C9", "I4")
def test_a_job_that_failed_or_fell_silent_is_sent_again_by_the_sweep(api, stock, sent, settings, later):
    settings.EVENT_UPLOAD_BYTES = 1000
    upload = registered(api, os.urandom(5000))
    handler(upload.event, None)
    [job_id] = sent

    def around(call, aws, name, arguments):
        if name == "PutObject":
            raise OSError("the disk is full")
        return call(aws, name, arguments)

    with watched(around):
        tasks.encrypt_upload(job_id)
    assert jobs.find(job_id, actor=TESTS).state is JobState.FAILED
    later(seconds=400)
    sweep()
    assert sent == [job_id, job_id]
    control.start(job_id)
    assert control.start(job_id) is None  # another worker is at it
    later(seconds=SILENT_SECONDS + 60)
    sweep()
    assert sent == [job_id] * 3
    tasks.encrypt_upload(job_id)
    assert upload.is_safe
