"""Deleted documents: restored within their window, then shredded for good (E6, I1, I4, I5)."""

from datetime import timedelta

import pytest
import requests
from django.conf import settings

from apps.audit.services import Conflict
from apps.audit.verification import verify
from apps.common import clock
from apps.detections import services as detections
from apps.files import services
from apps.files.keys import rewrap
from apps.files.life import archive, shredding
from apps.files.records import StorageClass
from apps.files.states import FileStatus
from apps.files.uploads import client_side
from apps.keys import services as keys
from apps.sessions import services as sessions
from qkdplatform.lambda_handler import handler
from qkdseal.body import seal_bytes
from tests import requirement
from tests.conftest import TESTS
from tests.faults import TELLING
from tests.files.test_documents import encrypted, replaced
from tests.tables import rows, versions
from tests.uploads import deliver, plaintext_of, put, record_of

DAYS = 30


@pytest.fixture
def later(monkeypatch):
    """Lets days pass."""
    now = clock.now

    def pass_days(days):
        monkeypatch.setattr(clock, "now", lambda: now() + timedelta(days=days))

    return pass_days


def bodies_of(file_id):
    return [one["Key"] for one in versions(settings.ENCRYPTED_BUCKET) if file_id in one["Key"]]


@requirement("E6", "I4")
def test_within_the_window_a_deleted_file_comes_back(api, stock, later):
    file_id = encrypted(api, b"wanted after all")["file_id"]
    deleted = api.call("DELETE", f"files/{file_id}").json()
    assert deleted["shred_after"] > clock.as_text(clock.now() + timedelta(days=DAYS - 1))
    later(DAYS - 1)
    assert shredding.shred_due(actor=TESTS) == 0
    restored = api.post(f"files/{file_id}/restore", {}).json()
    assert (restored["status"], restored["shred_after"]) == ("encrypted", None)
    later(10 * DAYS)
    assert shredding.shred_due(actor=TESTS) == 0, "restoring ends the window"
    assert plaintext_of(file_id) == b"wanted after all"


@requirement("C5", "E6", "I5")
def test_afterwards_keys_and_bodies_of_all_versions_are_gone_and_nothing_needs_their_keys(
    api, admin_api, stock, later
):
    file_id = encrypted(api, b"first", name="my diary", attributes={"about": "me"})["file_id"]
    replaced(api, file_id, b"second", attributes={"about": "me"})
    key_ids = {str(record_of(one).pool_key_id) for one in (file_id, f"{file_id}.v1")}
    services.delete(file_id, actor=TESTS)
    later(DAYS + 1)
    assert shredding.shred_due(actor=TESTS) == 1
    assert shredding.shred_due(actor=TESTS) == 0
    for row in (record_of(file_id), record_of(f"{file_id}.v1")):
        assert (row.status, row.envelope, row.body) == (FileStatus.SHREDDED, {}, {})
        assert (row.name, row.attributes, row.pool_key_id) == ("(shredded)", {}, None)
    assert bodies_of(file_id) == []
    assert "diary" not in str(rows(settings.TABLE_PREFIX + "-files"))
    assert [rewrap.waiting_count(key_id) for key_id in key_ids] == [0] * len(key_ids)
    assert file_id not in str(api.get("files").json())
    assert api.get(f"files/{file_id}").json()["status"] == "shredded"
    for refused in (api.get(f"files/{file_id}/content"), api.post(f"files/{file_id}/restore", {})):
        assert refused.status_code == 409, refused.content
    told = admin_api.get(f"audit?file={file_id}").json()["items"]
    assert [entry["event"] for entry in told].count("file.shredded") == 2
    assert verify().problems == []


@requirement("C5", "E6")
def test_a_deleted_file_is_shredded_at_once_by_who_may(api, admin_api, stock):
    file_id = encrypted(api, b"first", name="my diary")["file_id"]
    replaced(api, file_id, b"second")
    path, why = f"files/{file_id}/shred", {"reason": "asked to be forgotten"}
    assert admin_api.post(path, why).status_code == 409, "it takes two steps"
    api.call("DELETE", f"files/{file_id}")
    assert api.post(path, why).status_code == 403, "who deletes cannot end the window"
    assert admin_api.post(path, {}).status_code == 400
    assert record_of(file_id).status is FileStatus.DELETED
    shredded = admin_api.post(path, why)
    assert (shredded.status_code, shredded.json()["status"]) == (200, "shredded")
    for row in (record_of(file_id), record_of(f"{file_id}.v1")):
        assert (row.status, row.envelope, row.name) == (FileStatus.SHREDDED, {}, "(shredded)")
    assert bodies_of(file_id) == []
    told = admin_api.get(f"audit?file={file_id}").json()["items"]
    assert [entry["detail"].get("reason") for entry in told].count(why["reason"]) == 1
    assert admin_api.post(path, why).status_code == 409
    assert verify().problems == []


@requirement("I1", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_of_shredding_at_once_fails_the_next_sweep_finishes_what_began(
    api, pool, monkeypatch, fault, each_call
):
    made = sessions.generate(sessions.GenerateRequest(key_length=32_768, error_rate=0.01), actor=TESTS)
    detections.judge(made.session_id, actor=TESTS)
    now = clock.now

    def prepare():
        file_id = encrypted(api)["file_id"]
        services.delete(file_id, actor=TESTS)
        return file_id

    def attempt(file_id):
        shredding.shred(file_id, reason="erase", actor=TESTS)

    for call, file_id in each_call("shred at once", fault, prepare, attempt):
        if record_of(file_id).status is FileStatus.DELETED:
            assert services.restore(file_id, actor=TESTS).status is FileStatus.ENCRYPTED, call
            continue
        with monkeypatch.context() as an_hour_later:
            an_hour_later.setattr(clock, "now", lambda: now() + timedelta(hours=1))
            shredding.shred_due(actor=TESTS)
        assert record_of(file_id).status is FileStatus.SHREDDED, call
        assert bodies_of(file_id) == [], call
    assert verify().problems == []


@requirement("E6")
@pytest.mark.parametrize("storage_class", [StorageClass.GLACIER_IR, StorageClass.DEEP_ARCHIVE])
def test_what_lies_in_cold_storage_is_shredded_too(api, stock, later, storage_class):
    file_id = encrypted(api)["file_id"]
    archive.archive(file_id, storage_class=storage_class, actor=TESTS)
    services.delete(file_id, actor=TESTS)
    later(DAYS + 1)
    assert shredding.shred_due(actor=TESTS) == 1
    assert bodies_of(file_id) == []


@requirement("C9", "E6")
def test_a_body_that_its_client_encrypted_is_removed_too(api, stock, later):
    target, secret = client_side.announce(name="local", actor=api.actor)
    file_id = target.file.file_id
    body = seal_bytes(secret.key, secret.context, b"content")
    assert requests.put(str(target.url), data=body, timeout=5).ok
    client_side.finish(file_id, actor=api.actor)
    assert len(bodies_of(file_id)) == 1
    services.delete(file_id, actor=TESTS)
    later(DAYS + 1)
    shredding.shred_due(actor=TESTS)
    assert bodies_of(file_id) == []


@requirement("I1", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_fails_the_next_sweep_finishes(api, pool, later, fault, each_call):
    made = sessions.generate(sessions.GenerateRequest(key_length=32_768, error_rate=0.01), actor=TESTS)
    detections.judge(made.session_id, actor=TESTS)
    now = clock.now

    def prepare():
        file_id = encrypted(api)["file_id"]
        replaced(api, file_id, b"second")
        services.delete(file_id, actor=TESTS)
        return file_id

    def attempt(file_id):
        del file_id
        clock_now, clock.now = clock.now, lambda: now() + timedelta(days=DAYS + 1)
        try:
            shredding.shred_due(actor=TESTS)
        finally:
            clock.now = clock_now

    for call, file_id in each_call("shred", fault, prepare, attempt):
        if record_of(file_id).status is FileStatus.DELETED:
            assert services.restore(file_id, actor=TESTS).status is FileStatus.ENCRYPTED, call
            assert plaintext_of(file_id) == b"second", call
            services.delete(file_id, actor=TESTS)
        attempt(file_id)
        assert record_of(file_id).status is FileStatus.SHREDDED, call
        assert record_of(f"{file_id}.v1").status is FileStatus.SHREDDED, call
        assert bodies_of(file_id) == [], call
    assert verify().problems == []


@requirement("I4")
def test_a_file_restored_just_before_is_not_shredded(api, stock, later, monkeypatch):
    file_id = encrypted(api, b"just in time")["file_id"]
    services.delete(file_id, actor=TESTS)
    stale = record_of(file_id)
    services.restore(file_id, actor=TESTS)
    later(DAYS + 1)
    with pytest.raises(Conflict):
        shredding._shred(stale, TESTS)
    assert plaintext_of(file_id) == b"just in time"


@requirement("C5", "I4")
def test_a_file_re_wrapped_meanwhile_is_shredded_by_the_next_sweep(api, stock, pool, later):
    file_id = encrypted(api)["file_id"]
    services.delete(file_id, actor=TESTS)
    stale = record_of(file_id)
    [source] = [key for key in pool if key.key_id == stale.pool_key_id]
    target = next(key for key in pool if key is not source)
    rewrap.rewrap_files([stale], source=source, target=target, actor=TESTS)
    later(DAYS + 1)
    with pytest.raises(Conflict):
        shredding._shred(stale, TESTS)
    assert shredding.shred_due(actor=TESTS) == 1


@requirement("C5", "I4")
def test_a_re_wrapping_that_is_late_leaves_what_is_shredded(api, stock, pool, later):
    file_id = encrypted(api)["file_id"]
    services.delete(file_id, actor=TESTS)
    stale = record_of(file_id)
    [source] = [key for key in pool if key.key_id == stale.pool_key_id]
    target = next(key for key in pool if key is not source)
    later(DAYS + 1)
    shredding.shred_due(actor=TESTS)
    moved = rewrap.rewrap_files([stale], source=source, target=target, actor=TESTS)
    assert (moved.count, moved.damaged) == (0, [])
    assert record_of(file_id).envelope == {}


@requirement("E6", "I4")
def test_an_upload_for_a_document_that_was_shredded_is_rejected_and_removed(api, stock, later):
    file_id = encrypted(api)["file_id"]
    upload_id = api.post(f"files/{file_id}/versions", {}).json()["file"]["file_id"]
    upload = put(f"uploads/{upload_id}", b"too late")
    services.delete(file_id, actor=TESTS)
    later(DAYS + 1)
    shredding.shred_due(actor=TESTS)
    handler(upload.event, None)
    assert record_of(upload_id).status is FileStatus.REJECTED
    assert upload.is_gone


@requirement("C5", "I4")
def test_a_version_that_comes_while_its_document_is_re_wrapped_does_not_bring_the_old_key_back(
    api, stock, pool, monkeypatch
):
    file_id = encrypted(api, b"first")["file_id"]
    head = record_of(file_id)
    [source] = [key for key in pool if key.key_id == head.pool_key_id]
    target = next(key for key in pool if key is not source)
    upload_id = api.post(f"files/{file_id}/versions", {}).json()["file"]["file_id"]
    upload = put(f"uploads/{upload_id}", b"second")
    real = keys.pick

    def re_wrapped_first(*arguments, **named):
        monkeypatch.setattr(keys, "pick", real)
        rewrap.rewrap_files([head], source=source, target=target, actor=TESTS)
        return real(*arguments, **named)

    monkeypatch.setattr(keys, "pick", re_wrapped_first)
    deliver(upload.event)  # again after the first failed, as AWS does
    assert record_of(f"{file_id}.v1").pool_key_id == target.key_id
    assert plaintext_of(f"{file_id}.v1") == b"first"
    assert plaintext_of(file_id) == b"second"


@requirement("C5", "I5")
def test_a_key_is_needed_as_soon_as_a_client_encrypts_for_it(api, stock, pool):
    target, _ = client_side.announce(name="local", actor=api.actor)
    file = record_of(target.file.file_id)
    assert rewrap.waiting_count(str(file.pool_key_id)) == 1
