"""A request whose answer was lost is sent again: it finds what the first one made, and makes nothing more."""

import base64
import os

import pytest
import requests
from django.conf import settings as django_settings

from apps.common.aws import client
from apps.files.store import FileTable
from apps.files.uploads import announce, client_side, parts
from apps.files.uploads.announce import UploadMethod
from apps.sessions.store import QuantumKeyTable
from qkdseal import body
from tests import requirement
from tests.conftest import TESTS
from tests.faults import Fault, injected
from tests.tables import rows
from tests.threads import together
from tests.uploads import deliver, plaintext_of, put, record_of

UPLOAD_ID = "0b1c6c1e-upload"


def files():
    return rows(FileTable.Meta.table_name)


@requirement("C8", "E1")
@pytest.mark.parametrize("method", list(UploadMethod))
def test_an_announcement_with_an_id_of_the_client_is_made_once(api, stock, method):
    asked = {"name": "a.txt", "upload_id": UPLOAD_ID, "method": method, "attributes": {"a": 1}}
    first, again = api.post("files", asked), api.post("files", asked)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["file"] == again.json()["file"]
    assert len(files()) == 1
    assert again.json()["method"] == method
    assert (again.json()["upload_url"] is None) == (method is UploadMethod.MULTIPART)
    begun = client("s3").list_multipart_uploads(Bucket=django_settings.UPLOADS_BUCKET).get("Uploads", [])
    assert len(begun) == (method is UploadMethod.MULTIPART)


@requirement("C8", "I4")
def test_it_is_found_at_every_stage_of_its_life(api, stock):
    asked = {"name": "a.txt", "upload_id": UPLOAD_ID}
    file_id = api.post("files", asked).json()["file"]["file_id"]
    deliver(put(f"uploads/{file_id}", b"content").event)
    again = api.post("files", asked)
    assert again.status_code == 200
    assert (again.json()["file"]["status"], again.json()["upload_url"]) == ("encrypted", None)
    assert again.json()["file"]["file_id"] == file_id
    deliver(put(f"uploads/{file_id}", b"sent again").event)
    assert plaintext_of(file_id) == b"content"
    assert len(files()) == 1


@requirement("C8")
@pytest.mark.parametrize(
    "other",
    [
        {"name": "b.txt"}, {"document_type": "report"}, {"media_type": "text/plain"}, {"attributes": {"a": 1}},
        {"method": "multipart"}, {"size_limit": 5}, {"passphrase": "correct horse"},
    ],
)  # fmt: skip
def test_another_request_under_the_same_id_is_refused(api, stock, other):
    asked = {"name": "a.txt", "upload_id": UPLOAD_ID}
    assert api.post("files", asked).status_code == 201
    answer = api.post("files", asked | other)
    assert answer.status_code == 409
    assert "another upload_id" in answer.json()["detail"]


@requirement("C8", "C4")
def test_another_passphrase_under_the_same_id_is_refused_while_that_can_be_told(api, stock):
    asked = {"name": "a.txt", "upload_id": UPLOAD_ID, "passphrase": "correct horse"}
    assert api.post("files", asked).status_code == 201
    assert api.post("files", asked).status_code == 200
    assert api.post("files", asked | {"passphrase": "wrong battery"}).status_code == 409


@requirement("C8", "E3")
def test_an_id_is_each_callers_own(api, other_api, stock):
    asked = {"name": "a.txt", "upload_id": UPLOAD_ID}
    one, two = (caller.post("files", asked).json()["file"]["file_id"] for caller in (api, other_api))
    assert one != two


@requirement("C8")
@pytest.mark.parametrize("upload_id", ["", "short", "x" * 65, "with space", "ü" * 10, 5, None])
def test_an_id_has_a_form(api, stock, upload_id):
    assert api.post("files", {"name": "a.txt", "upload_id": upload_id}).status_code == 400


@requirement("C8", "I4")
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.REFUSED])
def test_whichever_call_fails_the_repeated_announcement_makes_one_file(api, stock, fault, each_call):
    ids: list[str] = []

    def prepare():
        ids.append(f"upload-{fault}-{len(ids)}")
        return ids[-1]

    def attempt(upload_id):
        multipart = UploadMethod.MULTIPART
        return announce.announce(name="a", upload_id=upload_id, method=multipart, actor=api.actor)

    for place, upload_id in each_call("announce by an id", fault, prepare, attempt):
        target = attempt(upload_id)
        assert len(files()) == len(ids), place
        assert target.file.parts, place


@requirement("C8")
def test_announced_at_once_it_is_one_file(api, stock):
    made: list[str] = []

    def one_more():
        made.append(announce.announce(name="a", upload_id=UPLOAD_ID, actor=api.actor).file.file_id)

    together(4, one_more)
    assert (len(made), len(set(made)), len(files())) == (4, 1, 1)


@requirement("C8", "E6")
def test_a_version_is_announced_once_too(api, stock):
    file_id = api.post("files", {"name": "a.txt"}).json()["file"]["file_id"]
    deliver(put(f"uploads/{file_id}", b"one").event)
    asked = {"upload_id": UPLOAD_ID, "name": "b.txt"}
    first = api.post(f"files/{file_id}/versions", asked)
    upload_id = first.json()["file"]["file_id"]
    assert api.post(f"files/{file_id}/versions", asked).json()["file"]["file_id"] == upload_id
    deliver(put(f"uploads/{upload_id}", b"two").event)
    again = api.post(f"files/{file_id}/versions", asked)
    assert (again.status_code, again.json()["file"]["status"]) == (200, "applied")
    assert record_of(file_id).version == 2


@requirement("C8", "C2", "I3")
def test_a_local_file_is_announced_once_and_its_key_given_again(api, stock):
    asked = {"name": "local", "upload_id": UPLOAD_ID, "passphrase": "correct horse"}
    first, again = (api.post("local-files", asked) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["secret"]["key"] == again.json()["secret"]["key"]
    assert api.post("local-files", asked | {"name": "other"}).status_code == 409
    assert len(rows(QuantumKeyTable.Meta.table_name)) == 1
    secret, upload = again.json()["secret"], again.json()["upload"]
    sealed = body.seal_bytes(base64.b64decode(secret["key"]), base64.b64decode(secret["context"]), b"content")
    assert requests.put(upload["upload_url"], data=sealed, timeout=5).ok
    file_id = upload["file"]["file_id"]
    finished = {"passphrase": "correct horse"}
    for _ in range(2):
        assert api.post(f"local-files/{file_id}/finish", finished).json()["status"] == "encrypted"
    third = api.post("local-files", asked)
    assert (third.status_code, third.json()["upload"]["upload_url"]) == (200, None)
    assert third.json()["secret"]["key"] == first.json()["secret"]["key"]


@requirement("C8", "I3")
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.REFUSED])
def test_whichever_call_fails_a_local_file_takes_one_quantum_key(api, stock, fault, each_call):
    ids: list[str] = []

    def prepare():
        ids.append(f"upload-{fault}-{len(ids)}")
        return ids[-1]

    def attempt(upload_id):
        return client_side.announce(name="a", upload_id=upload_id, actor=api.actor)

    for place, upload_id in each_call("announce locally by an id", fault, prepare, attempt):
        attempt(upload_id)
        assert len(files()) == len(ids), place
        assert len(rows(QuantumKeyTable.Meta.table_name)) == len(ids), place


@requirement("C8", "I4")
def test_a_completion_is_sent_again_after_the_file_was_encrypted(api, stock, monkeypatch):
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    file_id = api.post("files", {"name": "x", "method": "multipart"}).json()["file"]["file_id"]
    content = os.urandom(100)
    [part] = api.post(f"files/{file_id}/parts", {"numbers": [1]}).json()["parts"]
    assert requests.put(part["url"], data=content, timeout=5).ok
    with injected(Fault.LOST, operation="CompleteMultipartUpload"):
        assert api.post(f"files/{file_id}/complete", {"size": 100}).status_code == 503
    found = parts._parts

    def encrypted_meanwhile(upload):
        monkeypatch.setattr(parts, "_parts", found)
        answer = {"size": 100}
        assert api.post(f"files/{file_id}/complete", answer).status_code == 200
        from apps.files.uploads import pipeline

        pipeline.finish_overdue(seconds=-1, actor=TESTS)
        return found(upload)

    monkeypatch.setattr(parts, "_parts", encrypted_meanwhile)
    answer = api.post(f"files/{file_id}/complete", {"size": 100})
    assert (answer.status_code, answer.json()["status"]) == (200, "encrypted")
    assert plaintext_of(file_id) == content


@requirement("E9", "C8")
@pytest.mark.parametrize("method", ["put", "multipart"])
def test_an_idempotency_key_announces_one_file_too(api, stock, method):
    asked = {"name": "a", "method": method}
    first, again = (api.call("POST", "files", asked, **{"Idempotency-Key": "k-1"}) for _ in range(2))
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json()["file"] == again.json()["file"]
    assert len(files()) == 1
    other = api.call("POST", "files", asked | {"name": "b"}, **{"Idempotency-Key": "k-1"})
    assert other.status_code == 422


@requirement("E9", "E6")
def test_an_idempotency_key_announces_one_version(api, stock):
    file_id = api.post("files", {"name": "a.txt"}).json()["file"]["file_id"]
    deliver(put(f"uploads/{file_id}", b"one").event)
    path, key = f"files/{file_id}/versions", {"Idempotency-Key": "k-2"}
    first, again = (api.call("POST", path, {"name": "b"}, **key) for _ in range(2))
    assert first.json()["file"]["file_id"] == again.json()["file"]["file_id"]
    assert len(files()) == 2


@requirement("E9", "C16")
def test_an_idempotency_key_shares_once(api, other_api, stock):
    file_id = api.post("files", {"name": "a.txt"}).json()["file"]["file_id"]
    asked, key = {"grantee": str(other_api.actor)}, {"Idempotency-Key": "k-3"}
    first, again = (api.call("POST", f"files/{file_id}/grants", asked, **key) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
