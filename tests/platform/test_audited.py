"""No operation on a key, session or file without its audit entry: where none can be written, nothing happens (I1, D2)."""

from dataclasses import dataclass
from typing import Any

import pytest

from apps.access import api_keys as access
from apps.access.roles import Role
from apps.access.trail import ApiKeyEvent
from apps.audit.services import entries_page, transaction
from apps.audit.store import EntryTable
from apps.audit.writing import AuditUnavailable
from apps.common.errors import Invalid
from apps.custody import retirement
from apps.detections import services as detections
from apps.files import describing, messages, services
from apps.files.bodies.objects import ObjectRef
from apps.files.life import shredding
from apps.files.reading import content as reading
from apps.files.reading import downloads, packages
from apps.files.trail import FileEvent, MessageEvent
from apps.files.uploads import announce, pipeline
from apps.jobs import services as jobs
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.pool_records import DEFAULT_POOL
from apps.keys.trail import PoolKeyEvent
from apps.sessions import committing, finals, offering, reservations
from apps.sessions import services as sessions
from apps.sessions.job_kinds import SessionJob
from apps.sessions.records import KeyPurpose, QuantumKeyState, Session
from apps.sessions.services import GenerateRequest
from apps.sessions.trail import QuantumKeyEvent, SessionEvent
from tests import requirement
from tests.conftest import TESTS, Api, empty_aws
from tests.faults import counted
from tests.tables import every, everything
from tests.uploads import Upload, deliver, registered

SMALL = GenerateRequest(key_length=256, error_rate=0.01)
TAPPED = GenerateRequest(
    key_length=256, error_rate=0.01, eavesdropper={"kind": "intercept_resend", "fraction": 1.0}
)


@dataclass
class Scene:
    """One of everything, before the audit table fails."""

    api: Api
    package: dict[str, Any]
    pending: Session
    tapped: Session
    file: Upload
    deleted: Upload
    doomed: Upload  # deleted, too
    waiting: Upload


def staged() -> Scene:
    api = Api(Role.CLIENT)
    keys.create(3, actor=TESTS)
    made = sessions.generate(GenerateRequest(key_length=4096, error_rate=0.01), actor=TESTS)
    detections.judge(made.session_id, actor=TESTS)
    file, deleted, doomed = registered(api), registered(api), registered(api)
    for upload in (file, deleted, doomed):
        deliver(upload.event)
    for upload in (deleted, doomed):
        services.delete(upload.file_id, actor=TESTS)
    with transaction(TESTS) as tx:
        offered = offering.offer()
        reserved = QuantumKeyState.RESERVED
        committing.take(tx, offered, purpose=KeyPurpose.FILE, subject="nobody came back", state=reserved)
        tx.audit(QuantumKeyEvent.RESERVED)
    return Scene(
        api=api,
        package=messages.encrypt(b"x", actor=TESTS).to_dict(),
        pending=sessions.generate(SMALL, actor=TESTS),
        tapped=sessions.generate(TAPPED, actor=TESTS),
        file=file,
        deleted=deleted,
        doomed=doomed,
        waiting=registered(api),
    )


@pytest.fixture(scope="module")
def scene():
    """The platform in full work, its audit table lost. Nothing that is tried changes it, so all share it."""
    with empty_aws():
        made = staged()
        EntryTable.delete_table()
        yield made


def _object(upload: Upload) -> ObjectRef:
    bucket = upload.event["Records"][0]["s3"]["bucket"]["name"]
    return ObjectRef(bucket, upload.key, upload.version)


def _pool_key() -> str:
    return keys.pick().key_id


# In an order in which each can also be done after those before it: a file is deleted last.
OPERATIONS = {
    "issue an API key": lambda _: access.issue_for_service("x", role=Role.CLIENT, actor=TESTS),
    "revoke an API key": lambda s: access.revoke(s.api.client.key_id, reason="leaked", actor=TESTS),
    "make pool keys": lambda _: keys.create(2, actor=TESTS),
    "refill the pool": lambda _: keys.refill(actor=TESTS, leaving={DEFAULT_POOL: 9}),
    "queue a pool key for rotation": lambda _: retirement.rotate(_pool_key(), reason="x", actor=TESTS),
    "revoke a pool key": lambda _: retirement.revoke(_pool_key(), reason="x", actor=TESTS),
    "run a session": lambda _: sessions.generate(SMALL, actor=TESTS),
    "find a session clean": lambda s: detections.judge(s.pending.session_id, actor=TESTS),
    "find a session compromised": lambda s: detections.judge(s.tapped.session_id, actor=TESTS),
    "encrypt a message": lambda _: messages.encrypt(b"x", actor=TESTS),
    "decrypt a message": lambda s: messages.decrypt(s.package, actor=TESTS),
    "announce a file": lambda s: announce.announce(name="x", actor=s.api.actor),
    "encrypt an upload": lambda s: pipeline.encrypt_uploaded(_object(s.waiting), actor=TESTS),
    "read a file": lambda s: reading.read(s.file.file_id, actor=TESTS),
    "publish a file": lambda s: downloads.publish(s.file.file_id, actor=TESTS),
    "describe a file": lambda s: describing.describe(s.file.file_id, name="b", actor=TESTS),
    "give out a package": lambda s: packages.package_of(s.file.file_id, actor=TESTS),
    "delete a file": lambda s: services.delete(s.file.file_id, actor=TESTS),
    "shred a file": lambda s: shredding.shred(s.doomed.file_id, reason="x", actor=TESTS),
    "restore a file": lambda s: services.restore(s.deleted.file_id, actor=TESTS),
    "queue a job": lambda _: jobs.enqueue(SessionJob.GENERATE, total=1, parameters={}, actor=TESTS),
}


@requirement("I1", "D2")
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_cannot_be_audited_is_not_done(scene, name):
    before = everything()
    with pytest.raises(AuditUnavailable):
        OPERATIONS[name](scene)
    assert everything() == before


@requirement("I1", "D2", "C1")
def test_an_upload_over_the_limit_that_cannot_be_audited_is_not_removed(scene, settings):
    settings.UPLOAD_MAX_BYTES = 1
    before = everything()
    with pytest.raises(AuditUnavailable):
        pipeline.encrypt_uploaded(_object(scene.waiting), actor=TESTS)
    assert everything() == before


@requirement("I1", "D2", "I3")
def test_a_reservation_whose_end_cannot_be_audited_does_not_end(scene, monkeypatch):
    monkeypatch.setattr(reservations, "RESERVED_SECONDS", 0)
    before = everything()
    with pytest.raises(ExceptionGroup):
        reservations.discard(reservations.stale_reservations(), actor=TESTS)
    assert everything() == before


@requirement("I1", "I8")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "qkd/generate", {"key_length": 64}),
        ("POST", "files", {"name": "x"}),
        ("POST", "encrypt", {"plaintext": "x"}),
        ("GET", "files/{}/content", None),
        ("POST", "files/{}/download", None),
        ("DELETE", "files/{}", None),
    ],
)
def test_the_caller_is_told_to_try_again(scene, method, path, body):
    answer = scene.api.call(method, path.format(scene.file.file_id), body)
    assert (answer.status_code, answer.json()["type"]) == (
        503,
        "http://127.0.0.1:8000/api/problems/unavailable",
    )
    assert int(answer["Retry-After"]) > 0


@requirement("I1", "D1")
def test_the_entry_of_a_reading_is_written_before_any_key_or_byte_is_fetched(api, stock):
    upload = registered(api)
    deliver(upload.event)
    seeds._kept.clear()
    finals._kept.clear()
    with counted() as calls:
        reading.whole(reading.read(upload.file_id, actor=TESTS)[1])
    written = calls.index("TransactWriteItems")
    assert calls[written + 1 :] == ["GetItem", "BatchGetItem", "GetObject"], "pool key, session, body"


@requirement("I1", "D1")
def test_a_message_that_does_not_open_was_recorded_all_the_same(stock):
    package = messages.encrypt(b"x", actor=TESTS, context="right").to_dict()
    with pytest.raises(Invalid):
        messages.decrypt(package, actor=TESTS, context="wrong")
    file_id = package["envelope"]["header"]["file_id"]
    told = [(entry.event, entry.outcome) for entry in entries_page(limit=5, by="file", value=file_id).records]
    assert told == [("message.read", "failed"), ("message.read", "ok"), ("message.encrypted", "ok")]


@requirement("D1")
def test_every_operation_leaves_an_entry_that_says_who_what_and_which_key(aws):
    scene = staged()
    for name, operation in OPERATIONS.items():
        if name not in {"queue a job", "refill the pool"}:
            operation(scene)
    entries = every(entries_page)
    assert {entry.event for entry in entries} >= {
        ApiKeyEvent.ISSUED, ApiKeyEvent.REVOKED, PoolKeyEvent.CREATED, PoolKeyEvent.ROTATION_QUEUED,
        PoolKeyEvent.REVOKED, SessionEvent.GENERATED, SessionEvent.READY, SessionEvent.COMPROMISED,
        QuantumKeyEvent.RESERVED, FileEvent.REGISTERED, FileEvent.ENCRYPTED, FileEvent.READ,
        FileEvent.DELETED, FileEvent.RESTORED, FileEvent.SHREDDED, MessageEvent.ENCRYPTED, MessageEvent.READ,
    }  # fmt: skip
    assert all(entry.actor and entry.timestamp and entry.outcome == "ok" for entry in entries)
    assert all(
        entry.key_id for entry in entries if entry.event.startswith(("pool_key", "message", "file.en"))
    )
    assert all(
        entry.session_id for entry in entries if entry.event.startswith(("session", "message", "file.en"))
    )
