"""GET and HEAD of a file's content after RFC 9110: validators, conditions, ranges, and what they answer when."""

import os

import pytest
import requests

from apps.audit.services import entries_page
from apps.files.store import FileTable
from tests import requirement
from tests.files.test_documents import encrypted, replaced
from tests.tables import save
from tests.uploads import deliver, put, record_of

CONTENT = os.urandom(1000)


def get(api, file_id, method="GET", **headers):
    return api.call(
        method, f"files/{file_id}/content", **{k.replace("_", "-"): v for k, v in headers.items()}
    )


def reads_of(file_id):
    return [e for e in entries_page(limit=50, by="file", value=file_id).records if e.event == "file.read"]


@pytest.fixture
def file_id(api, stock):
    return encrypted(api, CONTENT)["file_id"]


@requirement("C8")
def test_an_etag_names_the_content_and_changes_with_it(api, file_id):
    first = get(api, file_id)["ETag"]
    assert first == get(api, file_id)["ETag"]
    replaced(api, file_id, b"second")
    assert get(api, file_id)["ETag"] != first
    assert get(api, f"{file_id}.v1")["ETag"] == first


@requirement("C8", "I1")
def test_what_the_caller_has_is_not_sent_again_nor_decrypted(api, file_id):
    etag = get(api, file_id)["ETag"]
    before = len(reads_of(file_id))
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = get(api, file_id, If_None_Match=known)
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    assert len(reads_of(file_id)) == before
    assert get(api, file_id, If_None_Match='"other"').content == CONTENT


@requirement("C8")
def test_a_condition_that_does_not_hold_is_412(api, file_id):
    etag = get(api, file_id)["ETag"]
    assert get(api, file_id, If_Match=etag).content == CONTENT
    assert get(api, file_id, If_Match="*").content == CONTENT
    for other in ('"other"', f"W/{etag}"):
        answer = get(api, file_id, If_Match=other)
        assert (answer.status_code, answer["Content-Type"]) == (412, "application/problem+json")


@requirement("C8")
def test_a_range_of_another_content_is_not_mixed_with_it(api, file_id):
    etag = get(api, file_id)["ETag"]
    part = get(api, file_id, Range="bytes=10-19", If_Range=etag)
    assert (part.status_code, part.content, part["ETag"]) == (206, CONTENT[10:20], etag)
    for other in ('"other"', f"W/{etag}", "Thu, 26 Nov 2026 00:00:00 GMT"):
        whole = get(api, file_id, Range="bytes=10-19", If_Range=other)
        assert (whole.status_code, whole.content) == (200, CONTENT)


@requirement("C8", "I1")
def test_head_tells_all_and_opens_nothing(api, file_id):
    answer = get(api, file_id, "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert (answer["Content-Length"], answer["Accept-Ranges"]) == ("1000", "bytes")
    assert answer["ETag"] == get(api, file_id)["ETag"]
    assert get(api, file_id, "HEAD", Range="bytes=1-2")["Content-Length"] == "1000"
    assert get(api, file_id, "HEAD", If_None_Match=answer["ETag"]).status_code == 304
    assert len(reads_of(file_id)) == 1


@requirement("C8", "E3")
def test_head_is_for_those_who_may_read(api, other_api, file_id):
    assert get(other_api, file_id, "HEAD").status_code == 404


@requirement("C8")
def test_head_tells_of_a_file_over_what_is_answered(api, file_id, settings):
    settings.STREAMED_DOWNLOAD_BYTES = 10
    assert get(api, file_id, "HEAD")["Content-Length"] == "1000"
    assert get(api, file_id).status_code == 409


@requirement("C8", "I8")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-9"}, {"If_None_Match": "*"}])
def test_a_file_that_is_not_encrypted_yet_is_409_whatever_is_asked(api, stock, method, headers):
    file_id = api.post("files", {"name": "x"}).json()["file"]["file_id"]
    assert get(api, file_id, method, **headers).status_code == 409


@requirement("C8", "I8")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_parts_that_the_storage_no_longer_has_are_409(api, stock, method):
    from apps.common.aws import client

    file_id = api.post("files", {"name": "x", "method": "multipart"}).json()["file"]["file_id"]
    parts = record_of(file_id).parts
    client("s3").abort_multipart_upload(Bucket=parts["bucket"], Key=parts["key"], UploadId=parts["id"])
    answer = api.get(f"files/{file_id}/parts")
    assert (answer.status_code, "aborted" in answer.json()["detail"]) == (409, True)
    assert api.post(f"files/{file_id}/complete", {"size": 1}).status_code == 409


@requirement("C8", "I8")
def test_parts_of_a_file_that_is_not_there_are_404(api, aws):
    assert api.get("files/nothing/parts").status_code == 404
    assert api.post("files/nothing/complete", {"size": 1}).status_code == 404


@requirement("C8", "I8")
def test_parts_that_are_too_small_are_400_with_the_reason(api, stock):
    file_id = api.post("files", {"name": "x", "method": "multipart"}).json()["file"]["file_id"]
    for part in api.post(f"files/{file_id}/parts", {"numbers": [1, 2]}).json()["parts"]:
        assert requests.put(part["url"], data=b"xxxxxx", timeout=5).ok
    answer = api.post(f"files/{file_id}/complete", {"size": 12})
    assert (answer.status_code, "5 MiB" in answer.json()["detail"]) == (400, True)


@requirement("C8", "I8")
def test_a_name_from_before_the_rules_does_not_break_an_answer(api, file_id):
    from dataclasses import replace

    save(FileTable.of(replace(record_of(file_id), name="a\n")))
    assert get(api, file_id)["Content-Disposition"] == 'attachment; filename="a_"'
    assert api.post(f"files/{file_id}/download").status_code == 201


@requirement("C2", "I8")
def test_a_message_may_hold_any_character(api, stock):
    text = "a\u0000b"
    package = api.post("encrypt", {"plaintext": text})
    assert package.status_code == 200, package.content
    assert api.post("decrypt", package.json()).json()["plaintext"] == text


@requirement("C8")
def test_empty_content_has_no_range_and_a_head(api, stock):
    file_id = api.post("files", {"name": "x"}).json()["file"]["file_id"]
    deliver(put(f"uploads/{file_id}", b"").event)
    assert get(api, file_id, "HEAD")["Content-Length"] == "0"
    assert get(api, file_id, Range="bytes=0-0").status_code == 416
