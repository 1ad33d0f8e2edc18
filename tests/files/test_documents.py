"""Documents over the API: ways to upload, versions, archive, ranges, passphrases, what is learnt of the content."""

import base64
import hashlib
import os

import pytest
import requests
from django.conf import settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.audit.verification import verify
from apps.common.aws import client
from apps.files.bodies import objects
from apps.files.bodies.media_types import media_type_of
from apps.files.bodies.objects import UPLOADS_PREFIX
from apps.files.life import archive
from apps.files.reading import ranges
from apps.files.reading.ranges import RangeNotSatisfiable
from apps.files.records import StorageClass
from apps.files.store import FileTable
from qkdplatform.lambda_handler import handler
from qkdseal.body import CHUNK_SIZE
from tests import requirement
from tests.conftest import TESTS
from tests.events import body_thawed
from tests.faults import watched
from tests.tables import versions
from tests.uploads import deliver, plaintext_of, put, record_of, registered

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


def encrypted(api, content=b"content", **fields):
    """A file of the API's client, encrypted."""
    upload = registered(api, content, **fields)
    handler(upload.event, None)
    return api.get(f"files/{upload.file_id}").json()


def replaced(api, file_id, content, **fields):
    """The document after another version was uploaded."""
    answer = api.post(f"files/{file_id}/versions", fields)
    assert answer.status_code == 201, answer.content
    handler(put(UPLOADS_PREFIX + answer.json()["file"]["file_id"], content).event, None)
    return api.get(f"files/{file_id}").json()


def content_of(api, file_id, **headers):
    answer = api.call("GET", f"files/{file_id}/content", **headers)
    assert answer.status_code in {200, 206}, answer.content
    return answer.content


@requirement("E6")
def test_what_is_learnt_of_the_content(api, stock):
    shown = encrypted(api, PNG, name="picture.bin")
    file = record_of(shown["file_id"])
    sealed = objects.part_of(objects.ObjectRef.of(file.body), 0, 10**6)
    assert (shown["media_type"], shown["sniffed_type"], shown["size"]) == ("image/png", "image/png", len(PNG))
    assert shown["ciphertext_size"] == len(sealed)
    digest = api.post(f"files/{shown['file_id']}/digest", {}).json()
    assert digest == {"sha256": hashlib.sha256(PNG).hexdigest(), "given_by": "platform"}


@requirement("E6")
def test_a_declared_media_type_stays_beside_what_was_found(api, stock):
    shown = encrypted(api, PNG, media_type="image/x-own")
    assert (shown["media_type"], shown["sniffed_type"]) == ("image/x-own", "image/png")


@requirement("E6")
@hypothesis_settings(max_examples=300, deadline=None)
@given(head=st.binary(max_size=600), name=st.text(max_size=30))
def test_no_content_and_no_name_stops_the_sniffer(head, name):
    assert "/" in media_type_of(head, name)


@requirement("C7", "C9")
@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-5", slice(-5, None)),
        (f"bytes={CHUNK_SIZE - 1}-{CHUNK_SIZE}", slice(CHUNK_SIZE - 1, CHUNK_SIZE + 1)),
        ("bytes=5-999999999", slice(5, None)),
    ],
)
def test_a_range_is_answered_with_its_bytes(header, wanted, api, stock):
    content = os.urandom(3 * CHUNK_SIZE + 77)
    shown = encrypted(api, content)
    answer = api.call("GET", f"files/{shown['file_id']}/content", Range=header)
    start, stop, _ = wanted.indices(len(content))
    assert (answer.status_code, answer.content) == (206, content[wanted])
    assert answer["Content-Range"] == f"bytes {start}-{stop - 1}/{len(content)}"


@requirement("C9")
def test_a_range_fetches_only_its_chunks(api, stock):
    shown = encrypted(api, os.urandom(20 * CHUNK_SIZE))
    fetched = []

    def around(call, aws, operation, arguments):
        if operation == "GetObject":
            fetched.append(arguments["Range"])
        return call(aws, operation, arguments)

    with watched(around):
        content_of(api, shown["file_id"], Range=f"bytes={5 * CHUNK_SIZE}-{5 * CHUNK_SIZE + 9}")
    first = 56 + 5 * (CHUNK_SIZE + 16)
    assert fetched == ["bytes=0-55", f"bytes={first}-{first + CHUNK_SIZE + 15}"]


@requirement("I8")
@pytest.mark.parametrize("header", ["bytes=7-", "bytes=100-200", "bytes=-0"])
def test_a_range_outside_the_file_is_a_problem_document(header, api, stock):
    shown = encrypted(api, b"content")
    answer = api.call("GET", f"files/{shown['file_id']}/content", Range=header)
    assert (answer.status_code, answer["Content-Type"]) == (416, "application/problem+json")


@requirement("C7")
@pytest.mark.parametrize(
    "header", ["", "bytes=", "bytes=-", "lines=1-2", "bytes=2-1", "bytes=0-1,3-4", "bytes=1-x"]
)
def test_a_range_header_that_means_nothing_is_ignored(header):
    assert ranges.range_of(header, 10) is None


@given(
    header=st.text(max_size=40) | st.from_regex(r"bytes=\d{0,4}-\d{0,4}", fullmatch=True),
    size=st.integers(0, 999),
)
def test_any_range_header_lies_within_the_file_or_is_refused(header, size):
    try:
        found = ranges.range_of(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= size


@requirement("C8")
def test_an_upload_by_form_is_refused_over_its_limit(api, aws):
    upload = api.post("files", {"name": "form", "method": "post", "size_limit": 10}).json()
    policy = base64.b64decode(upload["upload_fields"]["policy"]).decode()
    assert '["content-length-range", 0, 10]' in policy
    sent = requests.post(
        upload["upload_url"], data=upload["upload_fields"], files={"file": b"x" * 9}, timeout=5
    )
    assert sent.ok, sent.text


@requirement("C8", "C1")
def test_an_upload_in_parts_goes_on_where_it_stopped(api, stock, monkeypatch):
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    file_id = api.post("files", {"name": "parts", "method": "multipart"}).json()["file"]["file_id"]
    parts = {1: b"a" * 1000, 2: b"b" * 1000, 3: b"c"}
    for part in api.post(f"files/{file_id}/parts", {"numbers": [1, 3]}).json()["parts"]:
        assert requests.put(part["url"], data=parts[part["number"]], timeout=5).ok
    assert api.get(f"files/{file_id}/parts").json()["parts"] == [
        {"number": 1, "size": 1000},
        {"number": 3, "size": 1},
    ]
    assert api.post(f"files/{file_id}/complete", {"size": 2001}).status_code == 400
    url = api.post(f"files/{file_id}/parts", {"numbers": [2]}).json()["parts"][0]["url"]
    assert requests.put(url, data=parts[2], timeout=5).ok
    for _ in range(2):
        assert api.post(f"files/{file_id}/complete", {"size": 2001}).status_code == 200
    handler(services_event(file_id), None)
    assert api.post(f"files/{file_id}/complete", {"size": 2001}).json()["status"] == "encrypted"
    assert content_of(api, file_id) == b"".join(parts.values())


def services_event(file_id):
    from tests.events import upload_created

    return upload_created(file_id)


@requirement("C8")
def test_an_aborted_upload_leaves_no_parts_and_cannot_be_completed(api, aws):
    file_id = api.post("files", {"name": "parts", "method": "multipart"}).json()["file"]["file_id"]
    assert api.post(f"files/{file_id}/abort").json()["status"] == "rejected"
    assert client("s3").list_multipart_uploads(Bucket=settings.UPLOADS_BUCKET).get("Uploads", []) == []
    assert api.post(f"files/{file_id}/parts", {"numbers": [1]}).status_code == 409
    assert api.post(f"files/{file_id}/abort").status_code == 409


@requirement("E6", "I4")
def test_a_replaced_document_keeps_its_versions(api, stock):
    first = encrypted(api, b"one", name="a.txt", document_type="report")
    file_id = first["file_id"]
    second = replaced(api, file_id, b"two", name="b.txt")
    third = replaced(api, file_id, PNG)
    assert [first["version"], second["version"], third["version"]] == [1, 2, 3]
    assert (second["name"], third["name"], third["media_type"]) == ("b.txt", "b.txt", "image/png")
    assert content_of(api, file_id) == PNG
    earlier = api.get(f"files/{file_id}/versions").json()["items"]
    assert [(item["version"], item["status"]) for item in earlier] == [(2, "superseded"), (1, "superseded")]
    assert [content_of(api, item["file_id"]) for item in earlier] == [b"two", b"one"]
    assert [item["file_id"] for item in api.get("files").json()["items"]] == [file_id]
    assert [item["file_id"] for item in api.get("files?document_type=report").json()["items"]] == [file_id]
    assert verify().problems == []


@requirement("E6")
def test_versions_belong_to_the_owner(api, other_api, stock):
    file_id = encrypted(api)["file_id"]
    replaced(api, file_id, b"two")
    for path in (f"files/{file_id}/versions", f"files/{file_id}.v1", f"files/{file_id}.v1/content"):
        assert other_api.get(path).status_code == 404
    assert other_api.post(f"files/{file_id}/versions", {}).status_code == 404


@requirement("E6", "I5")
def test_every_version_is_found_under_its_pool_key(api, stock):
    file_id = encrypted(api, b"one")["file_id"]
    replaced(api, file_id, b"two")
    found = {
        row.file_id
        for key_id in {record_of(i).pool_key_id for i in (file_id, f"{file_id}.v1")}
        for row in FileTable.by_pool_key.query(f"{key_id}#0")
    }
    assert found == {file_id, f"{file_id}.v1"}


@requirement("C9")
def test_an_earlier_version_cannot_be_put_in_the_place_of_the_current_one(api, stock):
    file_id = encrypted(api, b"one")["file_id"]
    replaced(api, file_id, b"two")
    old, row = record_of(f"{file_id}.v1"), FileTable.get(file_id)
    row.update(
        [
            FileTable.envelope.set(old.envelope),
            FileTable.body.set(old.body),
            FileTable.quantum_key_id.set(str(old.quantum_key_id)),
            FileTable.size.set(old.size or 0),
        ]
    )
    assert api.get(f"files/{file_id}/content").status_code == 409


@requirement("E6")
@pytest.mark.parametrize("storage_class", ["GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"])
def test_archived_and_brought_back(storage_class, api, stock):
    file_id = encrypted(api, b"cold")["file_id"]
    archived = api.post(f"files/{file_id}/archive", {"storage_class": storage_class}).json()
    assert (archived["status"], archived["storage_class"]) == ("archived", storage_class)
    [stored] = versions(settings.ENCRYPTED_BUCKET)
    assert stored["StorageClass"] == storage_class
    readable = api.get(f"files/{file_id}/content").status_code
    assert readable == (200 if storage_class == "GLACIER_IR" else 409)
    restored = api.post(f"files/{file_id}/restore").json()
    if restored["status"] == "recalling":  # S3 needed time, and tells that it is done
        deliver(body_thawed(stored["Key"]))
        restored = api.get(f"files/{file_id}").json()
    assert (restored["status"], restored["storage_class"]) == ("encrypted", "STANDARD")
    [stored] = versions(settings.ENCRYPTED_BUCKET)
    assert stored["StorageClass"] == "STANDARD"
    assert content_of(api, file_id) == b"cold"


@requirement("E6")
def test_a_recall_waits_until_s3_has_thawed_the_object(api, stock):
    file_id = encrypted(api, b"cold")["file_id"]
    api.post(f"files/{file_id}/archive", {"storage_class": "GLACIER"})
    key = record_of(file_id).body["key"]
    thawed: list[bool] = []

    def around(call, aws, operation, arguments):
        answer = call(aws, operation, arguments)
        if operation == "HeadObject" and not thawed and "Restore" in answer:
            answer["Restore"] = 'ongoing-request="true"'
        return answer

    with watched(around):
        assert api.post(f"files/{file_id}/restore").json()["status"] == "recalling"
        deliver(body_thawed(key))  # of another recall, say
        assert api.get(f"files/{file_id}").json()["status"] == "recalling"
        thawed.append(True)
        assert archive.finish_moves(actor=TESTS) == 0, "it is not time to look yet"
        deliver(body_thawed(key))
        deliver(body_thawed(key))
    assert api.get(f"files/{file_id}").json()["status"] == "encrypted"
    assert content_of(api, file_id) == b"cold"


@requirement("E6")
def test_a_large_body_is_copied_in_parts(api, stock, monkeypatch):
    monkeypatch.setattr("apps.files.bodies.copying.COPY_BYTES", 50_000)
    monkeypatch.setattr("apps.files.bodies.copying.COPIED_PART_BYTES", 40_000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    content = os.urandom(130_000)
    file_id = encrypted(api, content)["file_id"]
    assert api.post(f"files/{file_id}/archive", {}).json()["status"] == "archived"
    assert content_of(api, file_id) == content


@requirement("E6")
def test_what_is_deleted_comes_back_to_where_it_was(api, stock):
    file_id = encrypted(api, b"cold")["file_id"]
    api.post(f"files/{file_id}/archive", {})
    assert api.delete(f"files/{file_id}").json()["status"] == "deleted"
    assert api.post(f"files/{file_id}/archive", {}).status_code == 409
    assert api.post(f"files/{file_id}/restore").json()["status"] == "archived"
    assert api.post(f"files/{file_id}/archive", {"storage_class": "STANDARD"}).status_code == 400
    assert record_of(file_id).storage_class is StorageClass.GLACIER_IR


@requirement("C4")
def test_a_passphrase_is_part_of_the_key_and_is_not_kept(api, stock):
    phrase = "correct horse battery"
    shown = encrypted(api, b"behind a passphrase", passphrase=phrase)
    header = base64.b64encode(phrase.encode()).decode()
    assert shown["has_passphrase"]
    assert content_of(api, shown["file_id"], **{"X-Passphrase": header}) == b"behind a passphrase"
    url = api.post(f"files/{shown['file_id']}/download", {"passphrase": phrase}).json()["url"]
    assert requests.get(url, timeout=5).content == b"behind a passphrase"
    assert "passphrase" not in FileTable.get(shown["file_id"]).attribute_values
    wrong = base64.b64encode(b"wrong horse").decode()
    for headers in ({}, {"X-Passphrase": wrong}, {"X-Passphrase": "%"}):
        answer = api.call("GET", f"files/{shown['file_id']}/content", **headers)
        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@requirement("C4")
def test_a_passphrase_that_is_not_needed_is_refused(api, stock):
    shown = encrypted(api)
    header = base64.b64encode(b"superfluous").decode()
    assert api.call("GET", f"files/{shown['file_id']}/content", **{"X-Passphrase": header}).status_code == 400
    assert plaintext_of(shown["file_id"]) == b"content"
