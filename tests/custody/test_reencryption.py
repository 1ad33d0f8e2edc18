"""Files re-encrypted, bodies too, where a re-wrapping would not help (C5, C6, C9, I1, I3, I4)."""

import os
from dataclasses import replace

import pytest
from django.conf import settings

from apps.audit import verification
from apps.common.aws import client
from apps.common.errors import Refused
from apps.custody import reencryption, tasks
from apps.custody.reencryption import Suspect, SuspectKind
from apps.detections import services as detections
from apps.files import services, store
from apps.files.bodies import objects
from apps.files.keys import reencrypt
from apps.files.life import archive, shredding
from apps.files.opening import FileDamaged, file_key
from apps.files.records import Document, FileNotFound, StorageClass
from apps.files.states import FileNotReady, FileStatus
from apps.files.store import FileTable
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.keys import lifecycle
from apps.keys.records import KeyNotFound
from apps.sessions import offering, transitions
from apps.sessions import services as sessions
from apps.sessions.records import SessionNotFound, StockEmpty
from apps.sessions.store import QuantumKeyTable
from qkdplatform.lambda_handler import handler
from qkdseal.body import CHUNK_SIZE
from qkdseal.envelope import Envelope
from tests import requirement
from tests.conftest import TESTS
from tests.faults import TELLING
from tests.files.test_documents import replaced
from tests.queues import die, into
from tests.sessions.ready import long
from tests.tables import save, versions
from tests.uploads import plaintext_of, record_of, registered


@pytest.fixture
def plenty(pool):
    """A ready session with 1024 quantum keys."""
    return long(1024)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch, settings):
    monkeypatch.setattr(reencryption, "WAIT_SECONDS", 0)
    monkeypatch.setattr(archive, "FIRST_LOOK", 0)
    settings.REWRAP_PER_SECOND = 1_000_000


@pytest.fixture
def sent(monkeypatch):
    """The messages that were sent, instead of a queue."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.reencrypt_files, "apply_async", into(ids))
    return ids


def worked_off(sent):
    while sent:
        tasks.reencrypt_files(sent.pop(0))


def encrypted(api, content=None, **fields):
    upload = registered(api, os.urandom(3 * CHUNK_SIZE) if content is None else content, **fields)
    handler(upload.event, None)
    return upload.file_id


def bodies_of(file_id):
    return {one["Key"] for one in versions(settings.ENCRYPTED_BUCKET) if file_id in one["Key"]}


def asked(source, identifier):
    return reencryption.start(Suspect(source, identifier), reason="test", actor=TESTS)


@requirement("C3", "C5", "C9", "I3")
def test_every_key_and_the_body_are_new_and_the_content_is_the_same(api, plenty):
    content = os.urandom(3 * CHUNK_SIZE + 5)
    file_id = encrypted(api, content)
    before = record_of(file_id)
    old_key = file_key(before)
    old_body = objects.part_of(objects.ObjectRef.of(before.body), 0, 10**6)
    after = reencrypt.reencrypt(file_id, actor=TESTS)
    assert after == record_of(file_id)
    assert plaintext_of(file_id) == content
    assert file_key(after) != old_key
    assert after.quantum_key_id != before.quantum_key_id
    assert objects.part_of(objects.ObjectRef.of(after.body), 0, 10**6) != old_body
    assert bodies_of(file_id) == {after.body["key"]}, "the old body is gone"
    same = ("file_id", "name", "owner", "status", "size", "uploaded_at", "media_type", "version", "source")
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    assert verification.verify().problems == []


@requirement("C5", "C6")
def test_all_files_of_a_revoked_session_are_encrypted_under_another(api, plenty, sent):
    first = encrypted(api, b"first")
    replaced(api, first, b"second")
    second = encrypted(api, b"")
    other = sessions.generate(sessions.GenerateRequest(key_length=65_536, error_rate=0.01), actor=TESTS)
    detections.judge(other.session_id, actor=TESTS)
    transitions.revoke(plenty.session_id, reason="leaked", actor=TESTS)
    job = asked(SuspectKind.SESSION, plenty.session_id)
    worked_off(sent)
    done = jobs.find(job.job_id, actor=TESTS)
    assert (done.state, done.done, done.total) == (JobState.SUCCEEDED, 3, 3)
    for file_id, content in ((first, b"second"), (f"{first}.v1", b"first"), (second, b"")):
        assert services.session_of(record_of(file_id).quantum_key_id) == other.session_id
        assert plaintext_of(file_id) == content
    again = asked(SuspectKind.SESSION, plenty.session_id)
    worked_off(sent)
    assert jobs.find(again.job_id, actor=TESTS).total == 0


@requirement("C5", "C6")
def test_all_files_of_a_pool_key_leave_it_also_one_that_is_suspended_or_outdated(api, plenty, sent):
    files = [encrypted(api, b"content %d" % number) for number in range(3)]
    old = str(record_of(files[0]).pool_key_id)
    with pytest.raises(Refused, match="still encrypts"):
        asked(SuspectKind.KEY, old)
    lifecycle.suspend(old, reason="looked into", actor=TESTS)
    asked(SuspectKind.KEY, old)
    worked_off(sent)
    assert old not in {record_of(file_id).pool_key_id for file_id in files}
    assert [plaintext_of(file_id) for file_id in files] == [b"content %d" % n for n in range(3)]


@requirement("C6")
def test_what_cannot_be_done_now_is_named_with_its_reason_and_the_rest_is_done(api, plenty, sent):
    fine, cold, damaged = (encrypted(api, b"content") for _ in range(3))
    secret = encrypted(api, b"content", passphrase="correct horse")
    archive.archive(cold, storage_class=StorageClass.DEEP_ARCHIVE, actor=TESTS)
    objects.remove(objects.ObjectRef.of(record_of(damaged).body))
    job = asked(SuspectKind.SESSION, plenty.session_id)
    worked_off(sent)
    ended = jobs.find(job.job_id, actor=TESTS)
    assert (ended.state, ended.done, ended.total) == (JobState.FAILED, 1, 4)
    left = ended.results["left"]
    assert set(left) == {cold, damaged, secret}
    assert "Recall" in left[cold]
    assert "passphrase" in left[secret]
    assert plaintext_of(fine) == b"content"
    archive.recall(cold, actor=TESTS)
    archive.finish_moves(actor=TESTS)
    asked(SuspectKind.FILE, cold)
    worked_off(sent)
    assert plaintext_of(cold) == b"content"


@requirement("C6", "E6")
def test_what_is_shredded_is_nobodys_work(api, plenty, sent, monkeypatch):
    shredded, kept = encrypted(api), encrypted(api, b"kept")
    services.delete(shredded, actor=TESTS)
    monkeypatch.setattr(store, "due_for_shredding", lambda _: iter([record_of(shredded)]))
    shredding.shred_due(actor=TESTS)
    job = asked(SuspectKind.SESSION, plenty.session_id)
    worked_off(sent)
    ended = jobs.find(job.job_id, actor=TESTS)
    assert (ended.state, ended.done, ended.total) == (JobState.SUCCEEDED, 1, 1)
    assert plaintext_of(kept) == b"kept"


@requirement("E6")
def test_a_deleted_file_stays_deleted_and_can_be_restored(api, plenty):
    file_id = encrypted(api, b"content")
    services.delete(file_id, actor=TESTS)
    until = record_of(file_id).shred_after
    after = reencrypt.reencrypt(file_id, actor=TESTS)
    assert isinstance(after, Document)
    assert (after.status, after.shred_after) == (FileStatus.DELETED, until)
    services.restore(file_id, actor=TESTS)
    assert plaintext_of(file_id) == b"content"


@requirement("C9", "I1")
def test_a_changed_body_is_not_given_a_new_seal(api, plenty):
    file_id = encrypted(api)
    before = record_of(file_id)
    body = objects.ObjectRef.of(before.body)
    content = bytearray(objects.part_of(body, 0, 10**6))
    content[-20] ^= 1
    client("s3").put_object(Bucket=body.bucket, Key=body.key, Body=bytes(content))
    changed = objects.latest(body.bucket, body.key)
    assert changed is not None
    save(FileTable.of(replace(before, body=changed.as_document())))
    with pytest.raises(FileDamaged):
        reencrypt.reencrypt(file_id, actor=TESTS)
    assert record_of(file_id).envelope == before.envelope
    assert bodies_of(file_id) == {body.key}, "what was written until then is gone"


@requirement("I4")
def test_two_at_once_leave_one_body_that_opens(api, plenty, monkeypatch):
    content = os.urandom(1000)
    file_id = encrypted(api, content)
    real = reencrypt._commit

    def after_another(*arguments):
        monkeypatch.setattr(reencrypt, "_commit", real)
        reencrypt.reencrypt(file_id, actor=TESTS)
        return real(*arguments)

    monkeypatch.setattr(reencrypt, "_commit", after_another)
    with pytest.raises(FileNotReady, match="meanwhile"):
        reencrypt.reencrypt(file_id, actor=TESTS)
    assert plaintext_of(file_id) == content
    assert bodies_of(file_id) == {record_of(file_id).body["key"]}


@requirement("C6", "F5")
def test_a_job_of_a_killed_worker_is_cancelled_by_its_next_delivery_before_another_file(
    api, plenty, sent, monkeypatch
):
    files = [encrypted(api) for _ in range(3)]
    job = asked(SuspectKind.SESSION, plenty.session_id)
    real = reencrypt.reencrypt

    def interrupted(file_id, **named):
        done = real(file_id, **named)
        if interruptions:
            raise interruptions.pop()
        return done

    class Killed(BaseException):
        pass

    interruptions = [Killed()]
    monkeypatch.setattr(reencrypt, "reencrypt", interrupted)
    with pytest.raises(Killed):
        tasks.reencrypt_files(job.job_id)
    control.cancel(job.job_id, actor=TESTS)
    die(job.job_id)
    worked_off(sent)  # delivered again
    assert jobs.find(job.job_id, actor=TESTS).state is JobState.CANCELLED
    still = {services.session_of(record_of(f).quantum_key_id) for f in files}
    assert still == {plenty.session_id}, "the session is the only one there is"
    moved = [f for f in files if record_of(f).encrypted_at > job.created_at]
    assert len(moved) == 1, "the one before it was killed"


@requirement("C6")
def test_a_job_waits_for_quantum_keys_to_be_made(api, plenty, sent, monkeypatch):
    encrypted(api)
    job = asked(SuspectKind.SESSION, plenty.session_id)
    real, empty = offering.offer, [1, 2, 3]

    def offer(**named):
        if empty:
            empty.pop()
            raise StockEmpty("none")
        return real(**named)

    monkeypatch.setattr(offering, "offer", offer)
    worked_off(sent)
    assert jobs.find(job.job_id, actor=TESTS).state is JobState.SUCCEEDED


@requirement("I1", "I3", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_whichever_call_fails_the_file_opens_and_asking_again_finishes(api, plenty, fault, each_call):
    contents = {}

    def prepare():
        content = os.urandom(2000)
        file_id = encrypted(api, content)
        contents[file_id] = content
        return file_id

    for call, file_id in each_call(
        "re-encrypt", fault, prepare, lambda file_id: reencrypt.reencrypt(file_id, actor=TESTS)
    ):
        assert plaintext_of(file_id) == contents[file_id], call
        reencrypt.reencrypt(file_id, actor=TESTS)
        assert plaintext_of(file_id) == contents[file_id], call
    used = [record_of(file_id).quantum_key_id for file_id in contents]
    assert len(set(used)) == len(used)
    assert verification.verify().problems == []
    assert {QuantumKeyTable.get(key_id).state for key_id in used} == {"used"}


@requirement("C7")
def test_what_is_not_there_is_not_queued(api, plenty, sent):
    for source, error in (
        (SuspectKind.SESSION, SessionNotFound), (SuspectKind.KEY, KeyNotFound), (SuspectKind.FILE, FileNotFound),
    ):  # fmt: skip
        with pytest.raises(error):
            asked(source, "no-such")
    with pytest.raises(FileNotFound):
        reencrypt.reencrypt("no-such", actor=TESTS)
    assert sent == []


@requirement("C6", "E1")
def test_over_the_api(api, admin_api, plenty, sent):
    file_id = encrypted(api)
    assert api.post("reencryptions", {"file_id": file_id, "reason": "x"}).status_code == 403
    for body in (
        {"reason": "x"},
        {"file_id": "a", "key_id": "b", "reason": "x"},
        {"file_id": file_id},
        {"file_id": 5, "reason": "x"},
    ):
        assert admin_api.post("reencryptions", body).status_code == 400, body
    answer = admin_api.post("reencryptions", {"file_id": file_id, "reason": "leaked by mistake"})
    assert answer.status_code == 202, answer.content
    worked_off(sent)
    job = admin_api.get(f"jobs/{answer.json()['job_id']}").json()
    assert (job["state"], job["done"], job["total"]) == ("succeeded", 1, 1)
    header = Envelope.from_dict(record_of(file_id).envelope).header
    assert header.file_id == file_id
