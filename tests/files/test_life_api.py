"""The rest of a file's life over the API: uploads deleted, versions in order, a lifetime, the package for the way out."""

import base64
import os
from datetime import timedelta

import pytest
import requests

from apps.audit.services import entries_page
from apps.common import clock
from apps.common.aws import client
from apps.files.bodies.objects import ObjectRef
from apps.files.life import archive, expiry
from apps.files.records import StorageClass
from apps.files.states import FileStatus
from apps.files.store import FileTable
from qkdplatform.schedules import sweep
from tests import requirement
from tests.conftest import TESTS
from tests.files.test_documents import encrypted
from tests.tables import rows, versions
from tests.uploads import deliver, plaintext_of, put, record_of


def announced(api, **fields):
    return api.post("files", {"name": "x", **fields}).json()["file"]["file_id"]


def listed(api):
    return [one["file_id"] for one in api.get("files").json()["items"]]


@requirement("E6", "C8")
@pytest.mark.parametrize("state", ["awaiting_upload", "rejected", "in parts"])
def test_an_upload_that_came_to_nothing_is_deleted(api, stock, state):
    file_id = announced(api, method="multipart" if state == "in parts" else "put")
    if state == "rejected":
        api.post(f"files/{file_id}/abort")
    answer = api.delete(f"files/{file_id}")
    assert (answer.status_code, answer.json()["status"], answer.json()["name"]) == (
        200,
        "shredded",
        "(deleted)",
    )
    assert listed(api) == []
    events = [entry.event for entry in entries_page(limit=9, by="file", value=file_id).records]
    assert events[0] == "file.deleted"
    deliver(put(f"uploads/{file_id}", b"late").event)
    assert versions("qkd-local-uploads") == []
    assert len(rows(FileTable.Meta.table_name)) == 1, "what comes late makes no file"
    assert api.delete(f"files/{file_id}").status_code == 409


@requirement("E6", "C9")
def test_a_local_upload_is_deleted_with_what_came_of_it(api, stock):
    made = api.post("local-files", {"name": "x"}).json()["upload"]
    requests.put(made["upload_url"], data=b"half", timeout=5)
    assert api.delete(f"files/{made['file']['file_id']}").json()["status"] == "shredded"
    assert versions("qkd-local-encrypted") == []


@requirement("E6", "E3")
def test_only_its_owner_deletes_an_upload(api, other_api, stock):
    assert other_api.delete(f"files/{announced(api)}").status_code == 404


@requirement("E6")
def test_versions_come_in_the_order_in_which_they_replaced_each_other(api, stock):
    file_id = encrypted(api, b"0")["file_id"]
    ids = [api.post(f"files/{file_id}/versions", {}).json()["file"]["file_id"] for _ in range(3)]
    for upload_id in reversed(ids):  # announced first, encrypted last
        deliver(put(f"uploads/{upload_id}", upload_id.encode()).event)
    found = api.get(f"files/{file_id}/versions").json()["items"]
    assert [one["version"] for one in found] == [3, 2, 1]
    first = api.get(f"files/{file_id}/versions?limit=2").json()
    rest = api.get(f"files/{file_id}/versions?limit=2&cursor={first['next']}").json()
    assert [one["version"] for one in first["items"] + rest["items"]] == [3, 2, 1]


@requirement("E6", "C5")
def test_a_file_with_a_lifetime_is_deleted_then_shredded(api, stock, later, settings):
    soon = clock.as_text(clock.now() + timedelta(hours=1))
    file_id = announced(api, expires_at=soon)
    deliver(put(f"uploads/{file_id}", b"for an hour").event)
    other = encrypted(api, b"for good")["file_id"]
    assert api.get(f"files/{file_id}").json()["expires_at"] is not None
    assert expiry.delete_due(actor=TESTS) == 0
    later(hours=2)
    sweep()
    assert record_of(file_id).status is FileStatus.DELETED
    assert record_of(other).status is FileStatus.ENCRYPTED
    entry = next(
        e for e in entries_page(limit=50, by="file", value=file_id).records if e.event == "file.deleted"
    )
    assert (entry.actor, entry.detail["reason"]) == ("system:sweeper", "Its lifetime ended.")
    later(days=settings.DELETION_WINDOW_DAYS + 1)
    sweep()
    assert record_of(file_id).status is FileStatus.SHREDDED
    assert plaintext_of(other) == b"for good"


@requirement("E6")
def test_what_is_restored_after_its_lifetime_stays(api, stock, later):
    file_id = announced(api, expires_at=clock.as_text(clock.now() + timedelta(hours=1)))
    deliver(put(f"uploads/{file_id}", b"x").event)
    later(hours=2)
    assert expiry.delete_due(actor=TESTS) == 1
    assert api.post(f"files/{file_id}/restore").json()["expires_at"] is None
    assert expiry.delete_due(actor=TESTS) == 0


@requirement("E6")
def test_an_archived_file_ends_as_well_and_one_on_its_way_later(api, stock, later):
    file_id = announced(api, expires_at=clock.as_text(clock.now() + timedelta(hours=1)))
    deliver(put(f"uploads/{file_id}", b"x").event)
    archive.archive(file_id, storage_class=StorageClass.GLACIER, actor=TESTS)
    later(hours=2)
    assert expiry.delete_due(actor=TESTS) == 1
    assert record_of(file_id).status is FileStatus.DELETED


@requirement("E6", "I8")
@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00Z", "soon", 5])
def test_a_lifetime_ends_in_the_future(api, stock, moment):
    assert api.post("files", {"name": "x", "expires_at": moment}).status_code == 400


@requirement("C3", "C7")
def test_a_package_is_all_that_the_keys_do_not_tell(api, stock):
    content = os.urandom(1000)
    file_id = encrypted(api, content)["file_id"]
    answer = api.get(f"files/{file_id}/package")
    assert answer.status_code == 200
    told = answer.json()
    assert told["envelope"] == record_of(file_id).envelope
    sealed = requests.get(told["url"], timeout=5).content
    assert len(sealed) == record_of(file_id).ciphertext_size
    secret = api.post(f"files/{file_id}/key", {}).json()
    from qkdseal import body

    key, context = base64.b64decode(secret["key"]), base64.b64decode(secret["context"])
    assert body.open_bytes(key, context, sealed) == content


@requirement("C7", "D1", "E3")
def test_a_package_is_for_those_who_may_read_and_is_recorded(api, other_api, stock):
    file_id = encrypted(api, b"x")["file_id"]
    assert other_api.get(f"files/{file_id}/package").status_code == 404
    api.get(f"files/{file_id}/package")
    assert entries_page(limit=1, by="file", value=file_id).records[0].event == "file.package_given"
    waiting = announced(api)
    assert api.get(f"files/{waiting}/package").status_code == 409


@requirement("C3", "C9")
def test_a_stored_body_says_whose_it_is(api, stock, monkeypatch):
    file_id = encrypted(api, b"x")["file_id"]
    wanted = {"file-id": file_id, "format": record_of(file_id).envelope["header"]["body"]}

    def told():
        body = ObjectRef.of(record_of(file_id).body)
        return client("s3").head_object(**body.arguments())["Metadata"]

    assert told() == wanted
    archive.archive(file_id, storage_class=StorageClass.GLACIER_IR, actor=TESTS)
    assert told() == wanted
    monkeypatch.setattr("apps.files.bodies.copying.COPY_BYTES", 0)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    archive.recall(file_id, actor=TESTS)
    assert told() == wanted
