"""Only the first object that arrives under an announced key is taken; a URL gives one file, and one quantum key."""

import itertools
import os
import threading

import pytest
import requests
from botocore.exceptions import ClientError
from django.conf import settings as django_settings

from apps.audit.services import entries_page
from apps.common.aws import client
from apps.files.bodies import encrypted
from apps.files.keys import reencrypt
from apps.files.life import archive
from apps.files.records import StorageClass
from apps.files.states import FileStatus
from apps.files.store import FileTable
from apps.files.uploads import client_side, parts, pipeline
from apps.sessions.store import QuantumKeyTable
from qkdseal import body
from tests import requirement
from tests.conftest import TESTS
from tests.faults import watched
from tests.files.test_client_side import uploaded
from tests.tables import rows, versions
from tests.threads import together
from tests.uploads import deliver, plaintext_of, put, record_of, registered
from tests.waiting import LIMIT_SECONDS

ENCRYPTED = django_settings.ENCRYPTED_BUCKET
UPLOADS = django_settings.UPLOADS_BUCKET


def files():
    return [row for row in rows(FileTable.Meta.table_name) if row["kind"]["S"] != "orphan"]


def events_of(file_id):
    return [entry.event for entry in reversed(entries_page(limit=50, by="file", value=file_id).records)]


@requirement("C4", "C8", "I4")
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_url_that_is_used_again_makes_no_second_file_whatever_the_order_of_the_events(api, stock, order):
    first = registered(api, b"first", passphrase="correct horse")
    uploads = [first, put(first.key, b"second"), put(first.key, b"third")]
    for place in order:
        deliver(uploads[place].event)
    assert [row["file_id"]["S"] for row in files()] == [first.file_id]
    assert record_of(first.file_id).has_passphrase
    answer = api.call("GET", f"files/{first.file_id}/content", **{"X-Passphrase": "Y29ycmVjdCBob3JzZQ=="})
    assert answer.content == b"first"
    assert versions(UPLOADS) == []
    assert len(rows(QuantumKeyTable.Meta.table_name)) == 1, "however often the URL is used"
    assert events_of(first.file_id).count("upload.surplus_removed") == 2


@requirement("C1", "I4")
def test_the_sweep_which_knows_no_order_of_events_takes_the_first_as_well(api, stock):
    first = registered(api, b"first")
    put(first.key, b"second")
    dropped = put("dropped", b"x")
    assert pipeline.finish_overdue(seconds=-1, actor=TESTS) == 3
    assert plaintext_of(first.file_id) == b"first"
    assert dropped.is_safe
    assert versions(UPLOADS) == []
    assert len(files()) == 2


@requirement("C8", "I3", "I4")
@pytest.mark.parametrize("deliveries", [2, 5])
def test_of_deliveries_that_race_one_quantum_key_is_used_and_none_stays_reserved(
    api, stock, deliveries, monkeypatch
):
    """Each has written its body when the first commits."""
    upload = registered(api, b"first")
    written, write = threading.Barrier(deliveries), encrypted.write

    def at_once(*arguments, **more):
        done = write(*arguments, **more)
        written.wait(LIMIT_SECONDS)
        return done

    monkeypatch.setattr(encrypted, "write", at_once)
    together(deliveries, lambda: deliver(upload.event))
    assert plaintext_of(upload.file_id) == b"first"
    states = sorted(row["state"]["S"] for row in rows(QuantumKeyTable.Meta.table_name))
    assert states == ["discarded"] * (deliveries - 1) + ["used"]
    assert not any("reserved_feed" in row for row in rows(QuantumKeyTable.Meta.table_name))
    assert len(versions(ENCRYPTED)) == 1, "the bodies of the others are gone"
    assert versions(UPLOADS) == []


@requirement("C8", "I4")
def test_events_of_two_versions_delivered_at_once_give_the_first(api, stock):
    first = registered(api, b"first")
    uploads = [first, put(first.key, b"second")]
    turn = itertools.count()
    together(4, lambda: deliver(uploads[next(turn) % 2].event))
    for upload in uploads:
        deliver(upload.event)
    assert plaintext_of(first.file_id) == b"first"
    assert len(files()) == 1
    assert versions(UPLOADS) == []


@requirement("C8")
def test_what_arrives_after_an_abort_is_removed_with_an_entry(api, stock):
    file_id = api.post("files", {"name": "x"}).json()["file"]["file_id"]
    assert api.post(f"files/{file_id}/abort").status_code == 200
    late = put(f"uploads/{file_id}", b"late")
    deliver(late.event)
    assert late.is_gone
    assert record_of(file_id).status is FileStatus.REJECTED
    assert len(files()) == 1
    assert events_of(file_id)[-1] == "upload.surplus_removed"
    assert rows(QuantumKeyTable.Meta.table_name) == []


@requirement("C8", "I1")
def test_an_event_that_comes_twice_leaves_one_entry_about_what_it_removed(api, stock):
    first = registered(api, b"first")
    second = put(first.key, b"second")
    for upload in (first, second, second, first):
        deliver(upload.event)
    assert events_of(first.file_id).count("upload.surplus_removed") == 1


@requirement("C8", "I8")
@pytest.mark.parametrize("method", ["put", "multipart"])
def test_the_size_limit_of_an_announcement_is_kept(api, stock, method, monkeypatch):
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    upload = api.post("files", {"name": "x", "size_limit": 10, "method": method}).json()
    file_id = upload["file"]["file_id"]
    if method == "put":
        assert requests.put(upload["upload_url"], data=b"x" * 11, timeout=5).ok
        deliver(put(f"uploads/{file_id}", b"x" * 11).event)
        pipeline.finish_overdue(seconds=-1, actor=TESTS)
        shown = api.get(f"files/{file_id}").json()
        assert (shown["status"], "at most 10" in shown["reason"]) == ("rejected", True)
    else:
        for part in api.post(f"files/{file_id}/parts", {"numbers": [1, 2]}).json()["parts"]:
            assert requests.put(part["url"], data=b"xxxxxx", timeout=5).ok
        answer = api.post(f"files/{file_id}/complete", {"size": 12})
        assert (answer.status_code, "at most 10" in answer.json()["detail"]) == (400, True)
    assert versions(UPLOADS) == []
    assert rows(QuantumKeyTable.Meta.table_name) == []


@requirement("C8")
def test_a_size_limit_that_is_reached_is_no_excess(api, stock):
    upload = registered(api, b"x" * 10, size_limit=10)
    deliver(upload.event)
    assert upload.is_safe


def with_condition(kept):
    """S3 refuses to complete over an object that is there, as moto does not."""

    def around(call, aws, operation, arguments):
        if operation == "CompleteMultipartUpload":
            kept.append(arguments.get("IfNoneMatch"))
            if any(one["Key"] == arguments["Key"] for one in versions(arguments["Bucket"])):
                raise ClientError({"Error": {"Code": "PreconditionFailed"}}, operation)
        return call(aws, operation, arguments)

    return watched(around)


@requirement("C8")
def test_parts_are_joined_only_where_nothing_is_yet(api, stock, monkeypatch):
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    file_id = api.post("files", {"name": "x", "method": "multipart"}).json()["file"]["file_id"]
    content = os.urandom(100)
    [part] = api.post(f"files/{file_id}/parts", {"numbers": [1]}).json()["parts"]
    assert requests.put(part["url"], data=content, timeout=5).ok
    conditions: list[str] = []
    with with_condition(conditions):
        assert api.post(f"files/{file_id}/complete", {"size": 100}).status_code == 200
    assert conditions == ["*"]
    with with_condition(conditions):
        assert parts.complete(file_id, size=100, actor=TESTS).file_id == file_id
    pipeline.finish_overdue(seconds=-1, actor=TESTS)
    assert plaintext_of(file_id) == content
    assert len(files()) == 1


def twice(call, aws, operation, arguments):
    """A PUT whose answer is lost is sent again: S3 keeps both."""
    answer = call(aws, operation, dict(arguments))
    return call(aws, operation, dict(arguments)) if operation == "PutObject" else answer


@requirement("C1", "C6", "E6")
def test_a_repeated_write_leaves_no_second_version_of_a_body(api, stock):
    upload = registered(api, b"content")
    with watched(twice):
        deliver(upload.event)
    assert len(versions(ENCRYPTED)) == 1
    file_id = upload.file_id
    with watched(twice):
        reencrypt.reencrypt(file_id, actor=TESTS)
    assert len(versions(ENCRYPTED)) == 1
    assert plaintext_of(file_id) == b"content"


@requirement("C6", "C9")
def test_what_a_client_puts_again_after_its_file_is_finished_goes_with_the_file(api, stock):
    file_id, _, _ = uploaded(api, b"content")
    place = record_of(file_id).body
    client("s3").put_object(Bucket=place["bucket"], Key=place["key"], Body=b"put again")
    reencrypt.reencrypt(file_id, actor=TESTS)
    assert len(versions(ENCRYPTED)) == 1
    assert plaintext_of(file_id) == b"content"


@requirement("C9")
def test_of_the_bodies_that_a_client_put_only_the_finished_one_stays(api, stock):
    target, secret = client_side.announce(name="x", actor=api.actor)
    sealed = body.seal_bytes(secret.key, secret.context, b"content")
    for data in (b"an earlier try", sealed):
        assert requests.put(str(target.url), data=data, timeout=5).ok
    assert len(versions(ENCRYPTED)) == 2
    client_side.finish(target.file.file_id, actor=api.actor)
    assert len(versions(ENCRYPTED)) == 1
    assert plaintext_of(target.file.file_id) == b"content"


@requirement("E6", "I4")
def test_a_move_to_cold_storage_never_uses_an_object_key_again(api, stock):
    """So that whatever lies under one that was given up can be removed at any time."""
    upload = registered(api, b"content")
    deliver(upload.event)
    used = [record_of(upload.file_id).body["key"]]
    for _ in range(2):
        archive.archive(upload.file_id, storage_class=StorageClass.GLACIER_IR, actor=TESTS)
        used.append(record_of(upload.file_id).body["key"])
        archive.recall(upload.file_id, actor=TESTS)
        used.append(record_of(upload.file_id).body["key"])
        reencrypt.reencrypt(upload.file_id, actor=TESTS)
    assert len(set(used)) == 5
