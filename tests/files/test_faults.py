"""Every operation on files, with each of its AWS calls failing in turn: then again, the sweep, and I1 to I6.

Prints a table: operation, failure points tried, violations.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import Any
from unittest import mock

import pytest
import requests
from django.conf import settings

from apps.audit.services import Transaction, entries_page, transaction
from apps.audit.verification import Depth, verify
from apps.common import clock
from apps.common.aws import client
from apps.common.errors import PlatformError
from apps.files import describing, services
from apps.files.bodies import objects, orphans
from apps.files.bodies.objects import ObjectRef
from apps.files.life import archive, checking, deleting, expiry, sweeping
from apps.files.opening import FileDamaged
from apps.files.reading import client_keys, downloads, packages
from apps.files.reading import content as reading
from apps.files.records import StorageClass
from apps.files.states import FileStatus
from apps.files.store import FileTable
from apps.files.uploads import announce, client_side, giving_up, parts, pipeline
from apps.files.uploads.announce import UploadMethod
from apps.sessions import committing, offering, reservations
from apps.sessions.records import Offer
from apps.sessions.store import QuantumKeyTable, SessionTable
from qkdplatform.lambda_handler import handler
from qkdplatform.schedules import sweep
from qkdseal import body
from tests import requirement
from tests.conftest import TESTS, Api
from tests.events import object_created
from tests.fault_table import PROPERTY
from tests.faults import Fault, at_each_call, watched
from tests.sessions.ready import long
from tests.tables import versions
from tests.uploads import deliver, plaintext_of, put, record_of, registered

# The audit entry that a record in this state must have.
ENTRY_OF = {
    FileStatus.AWAITING_UPLOAD: "file.registered",
    FileStatus.AWAITING_BODY: "file.key_released",
    FileStatus.ENCRYPTED: "file.encrypted",
    FileStatus.DELETED: "file.deleted",
    FileStatus.ARCHIVED: "file.archived",
    FileStatus.REJECTED: "file.rejected",
    FileStatus.SHREDDED: "file.deleted",
}


@dataclass
class Subject:
    """What an operation works on, and what has to be true of it in the end."""

    file_id: str
    contents: dict[str, bytes] = field(default_factory=dict)  # by file id
    more: dict[str, Any] = field(default_factory=dict)
    status: FileStatus = FileStatus.ENCRYPTED


@dataclass
class Operation:
    """How to prepare, attempt, and do it again as the caller or AWS would."""

    name: str
    prepare: Callable[[Api], Subject]
    attempt: Callable[[Subject], object]
    again: Callable[[Subject], object] | None = None

    def repeat(self, subject: Subject) -> None:
        with suppress(PlatformError):  # it was done the first time, and is refused as done
            (self.again or self.attempt)(subject)


def encrypted(api, content=None):
    content = os.urandom(90_000) if content is None else content
    upload = registered(api, content)
    file_id = upload.file_id
    handler(upload.event, None)
    return Subject(file_id, {file_id: content})


def uploaded(api):
    content = os.urandom(90_000)
    upload = registered(api, content)
    return Subject(upload.file_id, {upload.file_id: content}, {"event": upload.event})


class Killed(BaseException):
    """As a kill -9: nothing in the process handles it."""


def left_by_a_dead_attempt(api):
    subject = uploaded(api)

    def around(call, aws, name, arguments):
        if name == "AbortMultipartUpload":
            raise Killed
        answer = call(aws, name, arguments)
        if name == "CompleteMultipartUpload":
            raise Killed
        return answer

    with watched(around), suppress(Killed):
        handler(subject.more["event"], None)
    return subject


@contextmanager
def later(seconds):
    """The clock is set forward."""
    now = clock.now
    with mock.patch.object(clock, "now", lambda by=timedelta(seconds=seconds): now() + by):
        yield


def end_dead_attempts(_):
    with later(reservations.RESERVED_SECONDS + 60):
        sweeping.end_reservations(actor=TESTS)


def end_dead_attempts_and_encrypt(subject):
    end_dead_attempts(subject)
    handler(subject.more["event"], None)


def with_replacement(api):
    subject, content = encrypted(api, b"one"), os.urandom(90_000)
    target = announce.announce_version(subject.file_id, actor=api.actor)
    subject.more["event"] = put(f"uploads/{target.file.file_id}", content).event
    subject.contents = {subject.file_id: content, f"{subject.file_id}.v1": b"one"}
    return subject


def archived(api):
    subject = encrypted(api)
    archive.archive(subject.file_id, storage_class=StorageClass.GLACIER, actor=TESTS)
    return subject


def deleted(api):
    subject = encrypted(api)
    services.delete(subject.file_id, actor=TESTS)
    return subject


def to_be_deleted(api):
    subject = encrypted(api)
    subject.status, subject.contents = FileStatus.DELETED, {}
    return subject


def to_be_archived(api):
    subject = encrypted(api)
    subject.status = FileStatus.ARCHIVED
    return subject


def in_parts(api):
    target = announce.announce(name="parts", actor=api.actor, method=UploadMethod.MULTIPART)
    file_id, content = target.file.file_id, os.urandom(2000)
    for number, url in parts.part_urls(file_id, [1, 2], actor=api.actor):
        assert requests.put(url, data=content[(number - 1) * 1000 : number * 1000], timeout=5).ok
    return Subject(file_id, {file_id: content})


def joined(subject):
    parts.complete(subject.file_id, size=2000, actor=TESTS)


def joined_again(subject):
    joined(subject)
    deliver(object_created(f"uploads/{subject.file_id}"))


def half_uploaded(api):
    subject = in_parts(api)
    subject.status, subject.contents = FileStatus.REJECTED, {}
    return subject


def half_uploaded_locally(api):
    subject = sealed_locally(api)
    subject.status, subject.contents = FileStatus.REJECTED, {}
    return subject


def sealed_locally(api):
    target, secret = client_side.announce(name="local", actor=api.actor)
    content = os.urandom(40_000)
    sealed = body.seal_bytes(secret.key, secret.context, content)
    assert requests.put(str(target.url), data=sealed, timeout=5).ok
    return Subject(target.file.file_id, {target.file.file_id: content})


def with_a_lifetime(api):
    subject = encrypted(api)
    describing.describe(subject.file_id, expires_at=clock.now() + timedelta(seconds=60), actor=TESTS)
    subject.status, subject.contents = FileStatus.DELETED, {}
    return subject


def end_lifetimes(_):
    with later(120):
        expiry.delete_due(actor=TESTS)


def waiting_for_nothing(api):
    subject = half_uploaded(api)
    subject.status = FileStatus.SHREDDED
    return subject


def with_a_surplus(api):
    subject = encrypted(api)
    subject.more["event"] = put(f"uploads/{subject.file_id}", b"once more").event
    return subject


def finished_locally(api):
    subject = sealed_locally(api)
    client_side.finish(subject.file_id, actor=TESTS)
    return subject


def check_body(subject):
    checking.check(subject.file_id, actor=TESTS, progress=lambda _: None)


def read_whole(subject):
    [content] = subject.contents.values()
    assert reading.whole(reading.read(subject.file_id, actor=TESTS)[1]) == content


def read_range(subject):
    [content] = subject.contents.values()
    found = reading.read_range(subject.file_id, start=20_000, stop=60_000, actor=TESTS)[1]
    assert found == content[20_000:60_000]


OPERATIONS = [
    Operation("upload event", uploaded, lambda s: handler(s.more["event"], None)),
    Operation("replace", with_replacement, lambda s: handler(s.more["event"], None)),
    Operation("end a dead attempt", left_by_a_dead_attempt, end_dead_attempts, end_dead_attempts_and_encrypt),
    Operation(
        "archive",
        to_be_archived,
        lambda s: archive.archive(s.file_id, storage_class=StorageClass.GLACIER_IR, actor=TESTS),
    ),
    Operation("recall", archived, lambda s: archive.restore(s.file_id, actor=TESTS)),
    Operation("delete", to_be_deleted, lambda s: services.delete(s.file_id, actor=TESTS)),
    Operation("restore", deleted, lambda s: services.restore(s.file_id, actor=TESTS)),
    Operation("decrypt", encrypted, read_whole),
    Operation("decrypt a range", encrypted, read_range),
    Operation("decrypt to a download", encrypted, lambda s: downloads.publish(s.file_id, actor=TESTS)),
    Operation("describe", encrypted, lambda s: describing.describe(s.file_id, name="b", actor=TESTS)),
    Operation("end a lifetime", with_a_lifetime, end_lifetimes),
    Operation("delete an upload", waiting_for_nothing, lambda s: deleting.delete(s.file_id, actor=TESTS)),
    Operation("remove a surplus object", with_a_surplus, lambda s: handler(s.more["event"], None)),
    Operation("check a client's body", finished_locally, check_body),
    Operation("give out a package", encrypted, lambda s: packages.package_of(s.file_id, actor=TESTS)),
    Operation("release a key", encrypted, lambda s: client_keys.release_key(s.file_id, actor=TESTS)),
    Operation("join parts", in_parts, joined, joined_again),
    Operation("abort an upload", half_uploaded, lambda s: giving_up.abort(s.file_id, actor=TESTS)),
    Operation(
        "abort a local upload", half_uploaded_locally, lambda s: giving_up.abort(s.file_id, actor=TESTS)
    ),
    Operation("finish a local file", sealed_locally, lambda s: client_side.finish(s.file_id, actor=TESTS)),
]


def violations(subject: Subject) -> list[str]:
    """What is not as the invariants demand."""
    found = []
    file = record_of(subject.file_id)
    if file.status is not subject.status:
        found.append(f"status is {file.status}")
    entries = entries_page(limit=100, by="file", value=subject.file_id).records
    if ENTRY_OF[file.status] not in {entry.event for entry in entries}:
        found.append(f"I1: {file.status} without its entry")
    for file_id, content in subject.contents.items():
        try:
            if record_of(file_id).readable and plaintext_of(file_id) != content:
                found.append(f"I4: {file_id} gives another content")
        except FileDamaged:
            found.append(f"I4: {file_id} cannot be read")
    if any(subject.file_id in one["Key"] for one in versions(settings.UPLOADS_BUCKET)):
        found.append("plaintext was left")
    return found


def violations_of_all() -> list[str]:
    """What has to be true of all files together, once the reservations have ended."""
    told = verify(Depth.RECORDS)
    found = [f"D3: {problem}" for problem in told.problems] + [f"I10: {row}" for row in told.row_problems]
    listed = [
        FileTable.get(row.file_id) for row in FileTable.by_feed.query("all#0")
    ]  # the index has keys only
    rows = [row for row in listed if row.quantum_key_id]
    used = Counter(row.quantum_key_id for row in rows)
    found += [f"I3: {key_id} used {times} times" for key_id, times in used.items() if times > 1]
    for row in rows:
        session_id = services.session_of(row.quantum_key_id)
        if SessionTable.get(session_id).ttl is not None:
            found.append(f"I5: session {session_id} may expire")
    named = {(row.body["key"], row.body["version"]) for row in rows if row.body}
    named |= {(r.body["key"], r.body["version"]) for r in map(earlier, rows) if r is not None}
    bodies = {(one["Key"], one["VersionId"]) for one in versions(settings.ENCRYPTED_BUCKET)}
    found += [f"an orphan body {key}" for key, version in bodies - named]
    found += [f"I4: a missing body {key}" for key, version in named - bodies]
    left = client("s3").list_multipart_uploads(Bucket=settings.ENCRYPTED_BUCKET).get("Uploads", [])
    found += [f"an orphan upload {one['Key']}" for one in left]
    if any(QuantumKeyTable.by_reserved.query("all#0")):
        found.append("a reservation has not ended")
    return found


def earlier(row):
    return record_of(f"{row.file_id}.v1") if (row.version or 1) > 1 else None


@pytest.fixture
def plenty(pool, monkeypatch):
    """Quantum keys for 256 processes: each that ends keeps a block of them for a minute; no look at a move waits."""
    monkeypatch.setattr(archive, "FIRST_LOOK", 0)
    for _ in range(4):
        long(1024)


@pytest.fixture
def small_parts(monkeypatch):
    """Multipart uploads of small objects."""
    monkeypatch.setattr("apps.files.bodies.objects.PART_BYTES", 40_000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


def tried(operation, api, faults=tuple(Fault)) -> Iterator[list[str]]:
    """Each call of an operation failing in each of these ways: the violations found at each point, then of all."""
    for fault in faults:
        for place, subject in at_each_call(fault, lambda: operation.prepare(api), operation.attempt):
            found: list[str] = []
            operation.repeat(subject)
            with_scans(finish, found)
            found = [f"{fault} {place}: {what}" for what in found + violations(subject)]
            yield found
    ended = settings.PRESIGNED_SECONDS + reservations.RESERVED_SECONDS + 60
    for times in (1, 2):  # the second sweep settles what the first has noted
        with later(times * ended):
            sweep()
    yield violations_of_all()


@pytest.mark.slow  # minutes: the upload pipeline's own faults are in the default run
@requirement("I1", "I3", "I4", "I5", "I6")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_failed_call_of_any_operation_breaks_an_invariant(
    operation, api, plenty, small_parts, record_property
):
    found = list(tried(operation, api))
    points = len(found) - 1 - len(Fault)  # the end, and of each fault the attempt in which it struck nothing
    wrong = list(chain.from_iterable(found))
    record_property(PROPERTY, (operation.name, points, len(wrong)))
    assert wrong == []
    assert points >= 4


def removing_the_plaintext_first(monkeypatch):
    commit = pipeline._commit

    def committed(plan, done, *more):
        objects.remove(ObjectRef.of(done.source))
        return commit(plan, done, *more)

    monkeypatch.setattr(pipeline, "_commit", committed)


def removing_the_body_after_any_failed_commit(monkeypatch):
    commit = pipeline._commit

    def committed(plan, done, *more):
        try:
            return commit(plan, done, *more)
        except Exception:
            objects.remove(ObjectRef.of(done.body))
            raise

    monkeypatch.setattr(pipeline, "_commit", committed)


def changing_first_and_auditing_then(monkeypatch):
    @contextmanager
    def in_two_steps(actor):
        tx = Transaction(actor)
        yield tx
        for one in tx.operations:
            if one.kind == "put":
                one.row.save(condition=one.condition)
            elif one.kind == "update":
                one.row.update(one.actions, condition=one.condition)
        with transaction(actor) as audited:
            audited.entries += tx.entries

    monkeypatch.setattr(pipeline, "transaction", in_two_steps)


def using_one_quantum_key_for_all(monkeypatch):
    offer = offering.offer
    offered: list[Offer] = []

    def same(**_):
        offered.extend([] if offered else [offer()])
        return offered[0]

    monkeypatch.setattr(offering, "offer", same)
    monkeypatch.setattr(committing, "take", lambda *_, **__: None)
    monkeypatch.setattr(reservations, "use_reserved", lambda *_: None)


def forgetting_what_was_reserved(monkeypatch):
    monkeypatch.setattr(reservations, "stale_reservations", list)


def leaving_the_body_of_an_aborted_upload(monkeypatch):
    monkeypatch.setattr(orphans, "remove", lambda _: 0)


DEFECTS = [
    (removing_the_plaintext_first, "upload event", Fault.REFUSED, "status is awaiting_upload"),
    (removing_the_body_after_any_failed_commit, "upload event", Fault.LOST, "cannot be read"),
    (changing_first_and_auditing_then, "upload event", Fault.REFUSED, "without its entry"),
    (using_one_quantum_key_for_all, "upload event", Fault.REFUSED, "I3: "),
    (forgetting_what_was_reserved, "upload event", Fault.LOST, "a reservation has not ended"),
    (leaving_the_body_of_an_aborted_upload, "abort a local upload", Fault.REFUSED, "an orphan body"),
]


@requirement("I1", "I3", "I4")
@pytest.mark.parametrize(
    ("defect", "operation", "fault", "seen"), DEFECTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_the_table_finds_a_defect_that_is_put_in(defect, operation, fault, seen, api, plenty, monkeypatch):
    [operation] = [one for one in OPERATIONS if one.name == operation]
    defect(monkeypatch)
    found = chain.from_iterable(tried(operation, api, [fault]))
    assert any(seen in what for what in found)


def finish():
    """What the sweep does at once; twice, as a recall waits once for S3."""
    for _ in range(2):
        archive.finish_moves(actor=TESTS)


def with_scans(do, found):
    def around(call, aws, name, arguments):
        if name == "Scan":
            found.append("I6: a scan")
        return call(aws, name, arguments)

    with watched(around):
        do()
