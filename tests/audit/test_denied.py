"""What was tried and not done is in the trail: who, what, from where, with which outcome (D1)."""

import base64

import pytest

from apps.audit.records import Outcome
from apps.audit.services import entries_page
from apps.audit.verification import verify
from apps.files.api.views.documents import PASSPHRASE
from apps.files.bodies import objects
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.files.test_documents import encrypted
from tests.tables import everything
from tests.uploads import record_of, registered


def not_ok():
    found = [entry for entry in entries_page(limit=200).records if entry.outcome is not Outcome.OK]
    assert verify().problems == []
    return [(e.event, e.outcome.value, e.actor, e.file_id or e.session_id) for e in found]


@requirement("D1", "E2")
def test_a_missing_scope_is_recorded_with_the_address_and_the_method(api, stock):
    api.get("files")  # the first use of the key is noted
    before = everything()
    assert api.post("keys/some-key/revoke", {"reason": "x"}).status_code == 403
    assert everything() == before
    [entry] = [entry for entry in entries_page(limit=5).records if entry.outcome is Outcome.DENIED]
    assert (entry.event, entry.actor, entry.source_ip) == ("access.denied", str(api.actor), "127.0.0.1")
    request = {"method": "POST", "path": "/api/v1/keys/some-key/revoke", "missing": ["keys:manage"]}
    assert entry.detail.items() >= request.items()


@requirement("D1", "E2")
def test_asking_for_what_is_anothers_is_recorded_and_for_what_is_not_there_is_not(api, other_api, stock):
    file_id = encrypted(api)["file_id"]
    session_id = api.post("qkd/generate", {}).json()["session_id"]
    for address in (f"files/{file_id}/content", f"qkd/session/{session_id}", "files/nothing/content"):
        assert other_api.get(address).status_code == 404
    other = str(other_api.actor)
    assert set(not_ok()) == {
        ("access.denied", "denied", other, file_id),
        ("access.denied", "denied", other, session_id),
    }


@requirement("D1", "C7")
def test_a_foreign_message_and_one_that_does_not_open_are_recorded(api, other_api, stock):
    package = api.post("encrypt", {"plaintext": "x", "context": "right"}).json()
    assert other_api.post("decrypt", package | {"context": "right"}).status_code == 400
    assert api.post("decrypt", package | {"context": "wrong"}).status_code == 400
    events = {(event, outcome, actor) for event, outcome, actor, _ in not_ok()}
    assert events == {
        ("access.denied", "denied", str(other_api.actor)),
        ("message.read", "failed", str(api.actor)),
    }


@requirement("D1", "C4")
@pytest.mark.parametrize("way", ["content", "range"])
def test_a_wrong_passphrase_is_recorded(api, stock, way):
    upload = registered(api, b"content", passphrase="correct horse")
    handler(upload.event, None)
    headers = {PASSPHRASE: base64.b64encode(b"wrong horse").decode()} | (
        {"Range": "bytes=0-2"} if way == "range" else {}
    )
    answer = api.call("GET", f"files/{upload.file_id}/content", **headers)
    assert answer.status_code == 400, answer.content
    assert not_ok() == [("file.read", "failed", str(api.actor), upload.file_id)]


@requirement("D1", "C7")
def test_a_damaged_body_is_recorded(api, stock):
    file_id = encrypted(api)["file_id"]
    objects.remove(objects.ObjectRef.of(record_of(file_id).body))
    assert api.get(f"files/{file_id}/content").status_code == 409
    assert not_ok() == [("file.read", "failed", str(api.actor), file_id)]
