"""Bodies that clients encrypted are read to their end in the background; until then their digest is the client's own."""

import hashlib

import pytest
import requests

from apps.audit.services import entries_page
from apps.files import tasks
from apps.files.life import checking, reconciling
from apps.files.records import DigestBy
from apps.files.states import FileNotReady
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from qkdseal import body
from tests import requirement
from tests.conftest import TESTS
from tests.files.test_client_side import announced, secrets_of
from tests.files.test_documents import encrypted
from tests.queues import into
from tests.uploads import plaintext_of, record_of

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.check_body, "apply_async", into(ids))
    return ids


def finished(api, sha256=SHA256, change=lambda sealed: sealed, **fields):
    made = announced(api, **fields)
    key, context = secrets_of(made["secret"])
    sealed = change(body.seal_bytes(key, context, CONTENT))
    assert requests.put(made["upload"]["upload_url"], data=sealed, timeout=5).ok
    file_id = made["upload"]["file"]["file_id"]
    phrase = {"passphrase": fields["passphrase"]} if "passphrase" in fields else {}
    answer = api.post(f"local-files/{file_id}/finish", {"sha256": sha256, **phrase})
    assert answer.status_code == 200
    return file_id


def shown(api, file_id):
    return api.get(f"files/{file_id}").json()


def digest(api, file_id):
    return api.post(f"files/{file_id}/digest", {}).json()


@requirement("C9", "E6")
def test_a_digest_is_the_client_s_until_the_body_was_read(api, stock, sent):
    file_id = finished(api)
    assert (shown(api, file_id)["digest_by"], digest(api, file_id)["given_by"]) == ("client", "client")
    tasks.check_body(sent[0])
    assert (shown(api, file_id)["digest_by"], shown(api, file_id)["damage"]) == ("platform", None)
    assert digest(api, file_id) == {"sha256": SHA256, "given_by": "platform"}
    assert jobs.find(sent[0], actor=TESTS).state is JobState.SUCCEEDED
    assert jobs.find(sent[0], actor=TESTS).owner == str(api.actor)
    assert plaintext_of(file_id) == CONTENT


@requirement("E6")
def test_what_the_platform_encrypted_has_its_own_digest(api, stock):
    assert encrypted(api, CONTENT)["digest_by"] == "platform"


@requirement("C9", "E6")
def test_a_client_that_gives_none_gets_one(api, stock, sent):
    made = announced(api)
    key, context = secrets_of(made["secret"])
    requests.put(made["upload"]["upload_url"], data=body.seal_bytes(key, context, CONTENT), timeout=5)
    file_id = made["upload"]["file"]["file_id"]
    api.post(f"local-files/{file_id}/finish", {})
    assert digest(api, file_id)["sha256"] is None
    tasks.check_body(sent[0])
    assert digest(api, file_id) == {"sha256": SHA256, "given_by": "platform"}


def with_a_flipped_middle(sealed):
    changed = bytearray(sealed)
    changed[len(sealed) // 2] ^= 1
    return bytes(changed)


@requirement("C9", "I4", "D1")
def test_a_damaged_middle_is_found(api, stock, sent):
    file_id = finished(api, change=with_a_flipped_middle)
    assert shown(api, file_id)["status"] == "encrypted", "only the end was opened"
    tasks.check_body(sent[0])
    told = shown(api, file_id)
    assert (told["digest_by"], "Upload the file again" in told["damage"]) == ("client", True)
    events = [(e.event, e.outcome) for e in entries_page(limit=50, by="file", value=file_id).records]
    assert ("file.damaged", "failed") in events


@requirement("C9", "E6")
def test_a_digest_of_something_else_is_told_and_replaced(api, stock, sent):
    file_id = finished(api, sha256="0" * 64)
    tasks.check_body(sent[0])
    assert "not what the client gave" in shown(api, file_id)["damage"]
    assert digest(api, file_id) == {"sha256": SHA256, "given_by": "platform"}


@requirement("C4", "E6")
def test_behind_a_passphrase_it_stays_the_client_s_own(api, stock, sent):
    file_id = finished(api, passphrase="correct horse")
    assert sent == []
    assert shown(api, file_id)["digest_by"] == "client"
    assert checking.check(file_id, actor=TESTS, progress=print) is None


@requirement("I1", "D1")
def test_the_reading_has_its_entry_before(api, stock, sent):
    file_id = finished(api)
    tasks.check_body(sent[0])
    events = [e.event for e in entries_page(limit=50, by="file", value=file_id).records]
    assert events.index("file.read") > events.index("file.checked")


@requirement("C9")
def test_a_cancelled_check_changes_nothing(api, stock, sent):
    file_id = finished(api)
    control.cancel(sent[0], actor=TESTS)
    tasks.check_body(sent[0])
    assert record_of(file_id).digest_by is DigestBy.CLIENT


@requirement("C9", "I1")
def test_a_check_of_a_file_that_is_gone_or_checked_does_nothing(api, stock, sent):
    file_id = finished(api)
    tasks.check_body(sent[0])
    assert checking.check(file_id, actor=TESTS, progress=print) is None
    assert checking.check("nothing", actor=TESTS, progress=print) is None


@requirement("C9", "I4")
def test_a_check_that_failed_is_started_again_by_the_days_comparison(api, stock, sent, later, monkeypatch):
    file_id = finished(api)
    with monkeypatch.context() as patch:
        patch.setattr(checking, "check", failing)
        tasks.check_body(sent[0])
    assert jobs.find(sent[0], actor=TESTS).state is JobState.FAILED
    reconciling.report_missing("", actor=TESTS, unchecked=tasks.check_again)
    assert len(sent) == 1, "a job may still be on its way to it"
    later(days=1)
    for _ in range(2):
        reconciling.report_missing("", actor=TESTS, unchecked=tasks.check_again)
    assert sent == [sent[0]] * 2
    tasks.check_body(sent[1])
    assert (shown(api, file_id)["digest_by"], shown(api, file_id)["damage"]) == ("platform", None)
    reconciling.report_missing("", actor=TESTS, unchecked=tasks.check_again)
    assert len(sent) == 2


def failing(*_arguments, **_options):
    raise FileNotReady("It was changed meanwhile.")


@requirement("C9")
def test_one_that_was_cancelled_damaged_or_behind_a_passphrase_is_not_started_again(api, stock, sent, later):
    cancelled = finished(api)
    control.cancel(sent[0], actor=TESTS)
    finished(api, change=with_a_flipped_middle)
    tasks.check_body(sent[1])
    finished(api, passphrase="correct horse")
    later(days=1)
    reconciling.report_missing("", actor=TESTS, unchecked=tasks.check_again)
    assert len(sent) == 2
    assert record_of(cancelled).digest_by is DigestBy.CLIENT
