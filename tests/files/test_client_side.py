"""Files that the client encrypts and decrypts: the platform gives the key, checks the body, sees no plaintext."""

import base64
import hashlib
import os
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from apps.access.roles import Role
from apps.audit.services import entries_page
from apps.audit.verification import verify
from apps.common.aws import client
from apps.files.reading import content as reading
from apps.sessions.store import QuantumKeyTable
from qkdseal import body
from tests import requirement
from tests.conftest import TESTS, Api
from tests.faults import Fault, injected
from tests.tables import everything
from tests.uploads import record_of

CONTENT = os.urandom(3 * body.CHUNK_SIZE + 5)


def announced(api, **fields):
    answer = api.post("local-files", {"name": "local", **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


def secrets_of(document):
    return base64.b64decode(document["key"]), base64.b64decode(document["context"])


def opened(document, sealed):
    key, context = secrets_of(document)
    return body.open_bytes(key, context, sealed)


def uploaded(api, content=CONTENT, change=lambda sealed: sealed, **fields):
    """A file encrypted by this test; its id, what finishing it answered, its key and context."""
    made = announced(api, **fields)
    key, context = secrets_of(made["secret"])
    sealed = change(body.seal_bytes(key, context, content))
    assert requests.put(made["upload"]["upload_url"], data=sealed, timeout=5).ok
    file_id = made["upload"]["file"]["file_id"]
    phrase = {"passphrase": fields["passphrase"]} if "passphrase" in fields else {}
    about = {"sha256": hashlib.sha256(content).hexdigest(), **phrase}
    return file_id, api.post(f"local-files/{file_id}/finish", about), (key, context)


@requirement("C2", "C7", "C8")
def test_what_the_client_encrypts_either_side_decrypts(api, stock):
    file_id, answer, (key, _) = uploaded(api)
    shown = answer.json()
    assert (shown["status"], shown["size"]) == ("encrypted", len(CONTENT))
    assert reading.whole(reading.read(file_id, actor=TESTS)[1]) == CONTENT
    secret = api.post(f"files/{file_id}/key", {}).json()
    sealed = requests.get(secret["url"], timeout=5).content
    assert secrets_of(secret)[0] == key
    assert opened(secret, sealed) == CONTENT
    assert secret["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert verify().problems == []


@requirement("C7")
def test_a_file_that_the_platform_encrypted_can_be_decrypted_by_the_client(api, stock):
    from qkdplatform.lambda_handler import handler
    from tests.uploads import registered

    upload = registered(api, CONTENT)
    handler(upload.event, None)
    secret = api.post(f"files/{upload.file_id}/key", {}).json()
    sealed = requests.get(secret["url"], timeout=5).content
    assert opened(secret, sealed) == CONTENT


@requirement("D1", "I1")
def test_every_key_that_leaves_is_recorded(api, stock):
    file_id, _, _ = uploaded(api)
    api.post(f"files/{file_id}/key", {})
    events = [
        (e.event, e.detail.get("purpose")) for e in entries_page(limit=20, by="file", value=file_id).records
    ]
    assert events.count(("file.key_released", "encrypt")) == 1
    assert events.count(("file.key_released", "decrypt")) == 1


@requirement("I2")
def test_the_key_is_kept_nowhere(api, stock):
    _, _, (key, _) = uploaded(api)
    kept = repr(everything(but=set())).encode()
    for secret in (key.hex().encode(), base64.b64encode(key), repr(key).encode()):
        assert secret not in kept


@requirement("I3")
def test_the_quantum_key_is_used_with_the_announcement(api, stock):
    made = announced(api)
    quantum_key_id = made["upload"]["file"]["quantum_key_id"]
    assert QuantumKeyTable.get(quantum_key_id).state == "used"


@requirement("E3", "I9")
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUDITOR])
def test_keys_are_given_only_to_who_holds_the_scope(role, api, stock):
    file_id, _, _ = uploaded(api)
    other = Api(role)
    assert other.post(f"files/{file_id}/key", {}).status_code == 403
    assert other.post("local-files", {"name": "x"}).status_code == 403


@requirement("E3")
def test_keys_of_others_are_not_found(api, other_api, stock):
    file_id, _, _ = uploaded(api)
    assert other_api.post(f"files/{file_id}/key", {}).status_code == 404
    assert other_api.post(f"local-files/{file_id}/finish", {}).status_code == 404


@requirement("C9", "I4")
@pytest.mark.parametrize(
    "change",
    [
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + b"x",
        lambda sealed: sealed[:40],
        lambda _: b"",
        lambda sealed: bytes(len(sealed)),
        lambda sealed: sealed[: -body.SEALED_CHUNK_SIZE],
        lambda _: body.seal_bytes(bytes(32), b"", CONTENT),
    ],
)
def test_what_is_no_body_under_the_key_is_not_acknowledged(change, api, stock):
    file_id, answer, _ = uploaded(api, change=change)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert api.get(f"files/{file_id}").json()["status"] == "awaiting_body"


@requirement("C8")
def test_finishing_before_the_upload_and_twice(api, stock):
    made = announced(api)
    file_id = made["upload"]["file"]["file_id"]
    assert api.post(f"local-files/{file_id}/finish", {}).status_code == 409
    file_id, answer, _ = uploaded(api)
    again = api.post(f"local-files/{file_id}/finish", {})
    assert (answer.status_code, again.status_code) == (200, 200)
    assert again.json() == answer.json()


@requirement("C4")
def test_a_passphrase_is_needed_for_the_key(api, stock):
    file_id, answer, (key, _) = uploaded(api, passphrase="correct horse")
    assert answer.json()["has_passphrase"]
    assert api.post(f"files/{file_id}/key", {}).status_code == 400
    assert secrets_of(api.post(f"files/{file_id}/key", {"passphrase": "correct horse"}).json())[0] == key
    assert api.post(f"files/{file_id}/key", {"passphrase": "another one"}).status_code == 400


@requirement("C8")
def test_a_local_file_in_parts(api, stock, monkeypatch):
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    made = announced(api, method="multipart")
    file_id, (key, context) = made["upload"]["file"]["file_id"], secrets_of(made["secret"])
    sealed = body.seal_bytes(key, context, CONTENT)
    halves = {1: sealed[:30_000], 2: sealed[30_000:]}
    for part in api.post(f"files/{file_id}/parts", {"numbers": [1, 2]}).json()["parts"]:
        assert requests.put(part["url"], data=halves[part["number"]], timeout=5).ok
    assert api.post(f"files/{file_id}/complete", {"size": len(sealed)}).status_code == 200
    assert api.post(f"local-files/{file_id}/finish", {}).json()["status"] == "encrypted"
    assert reading.whole(reading.read(file_id, actor=TESTS)[1]) == CONTENT


@requirement("I8")
def test_a_form_makes_no_sense_here(api, stock):
    assert api.post("local-files", {"name": "x", "method": "post"}).status_code == 400


def in_parts(api, sealed, made):
    """Send a body in one part, as the client does."""
    file_id = made["upload"]["file"]["file_id"]
    [part] = api.post(f"files/{file_id}/parts", {"numbers": [1]}).json()["parts"]
    assert requests.put(part["url"], data=sealed, timeout=5).ok
    assert api.post(f"files/{file_id}/complete", {"size": len(sealed)}).status_code == 200
    assert api.post(f"local-files/{file_id}/finish", {}).status_code == 200
    return file_id


@requirement("C9", "E6")
def test_the_object_that_a_client_encrypted_tells_its_file_and_format(api, stock):
    made = announced(api, method="multipart")
    key, context = secrets_of(made["secret"])
    file_id = in_parts(api, body.seal_bytes(key, context, CONTENT), made)
    place = record_of(file_id).body
    told = client("s3").head_object(Bucket=place["bucket"], Key=place["key"], VersionId=place["version"])
    assert told["Metadata"] == {"file-id": file_id, "format": made["secret"]["format"]}


@requirement("C9", "E6")
@pytest.mark.parametrize("method", ["put", "put-with-headers"])
def test_the_object_of_one_put_tells_it_where_its_headers_are_sent(method, api, stock):
    made = announced(api, method=method)
    [key, context], file_id = secrets_of(made["secret"]), made["upload"]["file"]["file_id"]
    headers = made["upload"]["upload_headers"]
    told = {"file-id": file_id, "format": made["secret"]["format"]} if method != "put" else {}
    assert headers == {f"x-amz-meta-{name}": value for name, value in told.items()}
    signed = parse_qs(urlsplit(made["upload"]["upload_url"]).query)["X-Amz-SignedHeaders"]
    assert signed == [";".join(sorted(["host", *headers]))]
    sealed = body.seal_bytes(key, context, CONTENT)
    assert requests.put(made["upload"]["upload_url"], data=sealed, headers=headers, timeout=60).ok
    assert api.post(f"local-files/{file_id}/finish", {}).status_code == 200
    place = record_of(file_id).body
    kept = client("s3").head_object(Bucket=place["bucket"], Key=place["key"], VersionId=place["version"])
    assert kept["Metadata"] == told


@requirement("E9", "I3")
@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_an_idempotency_key_gives_the_same_upload_and_key_once(passphrase, api, other_api, stock):
    asked = {"name": "a", "method": "multipart"} | ({"passphrase": passphrase} if passphrase else {})

    def send(api, body=asked):
        return api.call("POST", "local-files", body, IDEMPOTENCY_KEY="once")

    first, again = send(api), send(api)
    assert (first.status_code, again.status_code) == (201, 201), again.content
    assert again["Idempotency-Replayed"] == "true"
    assert first.json()["upload"]["file"]["file_id"] == again.json()["upload"]["file"]["file_id"]
    assert secrets_of(first.json()["secret"]) == secrets_of(again.json()["secret"])
    assert len(list(QuantumKeyTable.scan())) == 1
    parts = client("s3").list_multipart_uploads(Bucket="qkd-local-encrypted").get("Uploads", [])
    assert len(parts) == 1
    assert send(api, asked | {"name": "b"}).status_code == 422
    assert send(other_api).json()["upload"]["file"]["file_id"] != first.json()["upload"]["file"]["file_id"]
    file_id = first.json()["upload"]["file"]["file_id"]
    released = [
        e for e in entries_page(limit=20, by="file", value=file_id).records if e.event == "file.key_released"
    ]
    assert len(released) == 2, "each time that the key leaves"


@requirement("E9", "I3")
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.REFUSED])
def test_whichever_call_fails_a_keyed_local_upload_is_made_once(fault, api, stock):
    asked, nth = {"name": "a", "method": "multipart"}, 0
    while True:
        nth, struck = nth + 1, None
        with injected(fault, nth=nth) as injection:
            api.call("POST", "local-files", asked, IDEMPOTENCY_KEY=f"key-{nth}")
            struck = injection.struck
        answer = api.call("POST", "local-files", asked, IDEMPOTENCY_KEY=f"key-{nth}")
        assert answer.status_code == 201, (struck, answer.content)
        if struck is None:
            break
    assert nth > 4
    names = [one["file_id"] for one in api.get("files?limit=100").json()["items"]]
    assert len(names) == nth
