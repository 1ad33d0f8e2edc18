"""Every other kind of job, its worker killed between two calls of it: delivered again, it ends as if nothing had been (A9, C6)."""

import base64
import json
import os
import uuid
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings
from moto.core.utils import unix_time_millis

from apps.access.roles import Role
from apps.audit import archive, archiving, checkpointing, writing
from apps.audit import tasks as audit
from apps.audit.records import SWEEPER
from apps.audit.services import entries_page, record
from apps.audit.verification import Depth, verify
from apps.common import clock, scheduling
from apps.common.aws import client
from apps.common.root_keys import configured
from apps.common.root_keys.configured import root_key
from apps.common.scheduling import Schedule
from apps.custody import kept_secrets, recovery, reencryption, retirement
from apps.custody import tasks as custody
from apps.custody.job_kinds import CustodyJob
from apps.custody.kept_secrets import Unreadable
from apps.custody.reencryption import Suspect, SuspectKind
from apps.files import tasks as files
from apps.files.reading import downloads
from apps.files.records import DigestBy
from apps.files.trail import FileEvent
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.keys import recovery_seal, wrapped_secrets
from apps.keys import services as keys
from apps.operations import letters, running
from apps.operations import tasks as operations
from apps.operations.trail import OperationEvent
from apps.reports import services as reports
from apps.reports import tasks as reporting
from apps.sessions.store import QuantumKeyTable
from qkdseal import body, kem
from tests import requirement
from tests.conftest import TESTS, Api, empty_aws, forget_everything
from tests.fault_table import PROPERTY
from tests.files.test_client_side import announced, secrets_of
from tests.jobs.test_killed import Killed, deliver_until_ended, killed
from tests.queues import into
from tests.sessions.ready import long
from tests.tables import rows, versions
from tests.uploads import deliver, plaintext_of, record_of, registered

LATER = 1000  # bytes over which an upload or a download becomes a job
CONTENT = bytes(range(250)) * 5


@dataclass
class Given:
    """What a kind of job needs to be started."""

    api: Any
    sent: list[str]
    later: Callable[..., None]
    bucket: str
    passes: Callable[[], None] = lambda: None  # time, between two deliveries

    def upload(self, content: bytes = CONTENT) -> Any:
        found = registered(self.api, content)
        deliver(found.event)
        return found


Subject = tuple[str, Callable[[], bool]]  # the job's id, and whether it has done what it is for


def reencrypt(given: Given) -> Subject:
    file_id = given.upload(b"small").file_id
    old = record_of(file_id)
    key = str(old.pool_key_id)
    keys.create(1, actor=TESTS)
    retirement.revoke(key, reason="x", below_low_water=True, actor=TESTS)
    given.sent.clear()  # its re-wrapping
    reencryption.start(Suspect(SuspectKind.KEY, key), reason="x", actor=TESTS)

    def is_done() -> bool:
        new = record_of(file_id)
        used = {new.pool_key_id, new.quantum_key_id} & {old.pool_key_id, old.quantum_key_id}
        return plaintext_of(file_id) == b"small" and not used

    return given.sent[-1], is_done


def encrypt(given: Given) -> Subject:
    upload = given.upload()
    return given.sent[-1], lambda: upload.is_safe


def decrypt(given: Given) -> Subject:
    upload = given.upload(os.urandom(LATER + 1))
    files.encrypt_upload(given.sent[-1])
    downloads.publish(upload.file_id, actor=TESTS, later=files.decrypt_later)

    def is_done() -> bool:
        url = downloads.publish(upload.file_id, actor=TESTS, later=files.decrypt_later).url
        return url is not None and requests.get(url, timeout=5).content == upload.content

    return given.sent[-1], is_done


def check(given: Given) -> Subject:
    made = announced(given.api)
    key, context = secrets_of(made["secret"])
    sealed = body.seal_bytes(key, context, CONTENT)
    assert requests.put(made["upload"]["upload_url"], data=sealed, timeout=5).ok
    file_id = made["upload"]["file"]["file_id"]
    assert given.api.post(f"local-files/{file_id}/finish", {"sha256": "0" * 64}).status_code == 200
    return given.sent[-1], lambda: record_of(file_id).digest_by is DigestBy.PLATFORM


def reconcile(given: Given) -> Subject:
    upload = given.upload(b"small")
    own = record_of(upload.file_id).body["key"]
    key = f"{own}.stray"
    client("s3").put_object(Bucket=given.bucket, Key=key, Body=b"stray")
    given.later(days=1, hours=1)
    assert files.reconcile_daily() == 1

    def is_done() -> bool:
        left = {one["Key"] for one in versions(given.bucket)}
        return key not in left and own in left and plaintext_of(upload.file_id) == b"small"

    return given.sent[-1], is_done


def verify_trail(given: Given) -> Subject:
    record(TESTS, FileEvent.READ)
    job = audit.verify_later(depth=Depth.RECORDS, actor=TESTS)
    return job.job_id, lambda: bool(jobs.find(job.job_id, actor=TESTS).results["whole"])


def archive_trail(given: Given) -> Subject:
    for _ in range(2 * archive.BLOCK):
        record(TESTS, FileEvent.READ, file_id="a-file")
    checkpointing.make(actor=SWEEPER)
    given.later(days=40)
    assert audit.archive_daily(actor=SWEEPER) == 1
    return given.sent[-1], lambda: archiving.due() == [] and verify(Depth.RECORDS).whole


def report(given: Given) -> Subject:
    record(TESTS, FileEvent.READ, file_id="a-file")
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    given.later(days=1)
    asked = reports.ask(since=today, until=today + timedelta(days=1), actor=TESTS)

    def is_done() -> bool:
        made = [one.report_id for one in reports.listed(limit=200).records]
        return made.count(jobs.find(asked.job_id, actor=TESTS).results["report_id"]) == 1

    return asked.job_id, is_done


def rotate_root(given: Given) -> Subject:
    job = jobs.enqueue(CustodyJob.ROTATE_ROOT, total=1, parameters={}, actor=TESTS)

    def is_done() -> bool:
        older = root_key().old_ids
        held = [
            one
            for one in kept_secrets.walk()
            if not isinstance(one, Unreadable) and wrapped_secrets.unwrap(one)
        ]
        return len(older) == 1 and {one.wrapping.root_key_id for one in held} == {root_key().id}

    return job.job_id, is_done


def seal(given: Given) -> Subject:
    job = jobs.enqueue(CustodyJob.SEAL_SECRETS, total=1, parameters={}, actor=TESTS)
    return job.job_id, lambda: recovery.check([], actor=TESTS).unsealed == []


def run_schedule(given: Given) -> Subject:
    job = running.run_later(Schedule.ROTATE, actor=TESTS)
    parts = sorted(part.name for part in scheduling.parts_of(Schedule.ROTATE))
    return job.job_id, lambda: sorted(jobs.find(job.job_id, actor=TESTS).results["ran"]) == parts


def redrive(given: Given) -> Subject:
    """Two events that Lambda gave up; while one is tried it is hidden, also where nobody is at it any more."""
    given.passes = lambda: given.later(seconds=letters.HELD_SECONDS)
    uploads = [registered(given.api, b"small") for _ in range(2)]
    ids = {given_up(upload.event) for upload in uploads}
    job = letters.redrive_later(actor=TESTS)

    def is_done() -> bool:
        entries = entries_page(limit=200).records
        told = {one.detail["message_id"] for one in entries if one.event == OperationEvent.LETTER_REDRIVEN}
        results = jobs.find(job.job_id, actor=TESTS).results
        is_gone = letters.look() == [] and all(upload.is_safe for upload in uploads)
        return is_gone and told == ids and results == {"succeeded": 2}

    return job.job_id, is_done


def given_up(event: dict[str, Any]) -> str:
    """Put an event into the queue of dead letters, as Lambda does; its id there."""
    sqs, document = client("sqs"), {"requestContext": {}, "requestPayload": event}
    url = sqs.get_queue_url(QueueName=django_settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    return sqs.send_message(QueueUrl=url, MessageBody=json.dumps(document))["MessageId"]


KINDS: dict[str, tuple[Any, Callable[[Given], Subject]]] = {
    "reencrypt": (custody.reencrypt_files, reencrypt),
    "encrypt": (files.encrypt_upload, encrypt),
    "decrypt": (files.decrypt_download, decrypt),
    "check": (files.check_body, check),
    "reconcile": (files.reconcile_bodies, reconcile),
    "verify": (audit.verify, verify_trail),
    "archive": (audit.archive, archive_trail),
    "report": (reporting.compliance, report),
    "rotate_root": (custody.rotate_root, rotate_root),
    "seal": (custody.seal_secrets, seal),
    "run_schedule": (operations.run_schedule, run_schedule),
    "redrive": (operations.redrive, redrive),
}
WRITES = ("Put", "Update", "Delete", "Transact", "BatchWrite", "Complete", "Copy")


@pytest.fixture
def world(settings, monkeypatch, tmp_path):
    """Make an AWS of its own for each try, which nothing of the tries before makes slower."""
    settings.EVENT_UPLOAD_BYTES = settings.DOWNLOAD_AT_ONCE_BYTES = LATER
    settings.AUDIT_ARCHIVE_DAYS = 30
    settings.REWRAP_PER_SECOND = 1_000_000
    monkeypatch.setattr(reencryption, "WAIT_SECONDS", 0)
    for module in (archive, archiving):
        monkeypatch.setattr(module, "BLOCK", 4)
    monkeypatch.setattr(archiving, "SLICE", 2)
    public_key = kem.generate_key_pair(recovery_seal.SUITE).public_key
    now, parts_of = clock.now, scheduling.parts_of
    # What parts do is not the job's matter; all of a schedule's make hundreds of calls
    monkeypatch.setattr(scheduling, "parts_of", lambda schedule: parts_of(schedule)[:2])

    @contextmanager
    def made():
        with empty_aws(), monkeypatch.context() as patches:
            moved = [timedelta()]
            ids: list[str] = []
            patches.setattr(clock, "now", lambda: now() + moved[0])
            patches.setattr(
                "moto.sqs.models.unix_time_millis",
                lambda: unix_time_millis() + 1000 * moved[0].total_seconds(),
            )
            settings.ROOT_KEY = f"local:{tmp_path / uuid.uuid4().hex}"
            settings.RECOVERY_PUBLIC_KEY = ""
            configured.root_key.cache_clear()
            for task in {*(task for task, _ in KINDS.values()), custody.rewrap_files}:
                patches.setattr(task, "apply_async", into(ids))
            writing.known_chains().names = ["007"]
            keys.create(4, actor=TESTS)
            long(32)
            # Only now, so that there is something to seal
            settings.RECOVERY_PUBLIC_KEY = base64.b64encode(public_key).decode()

            def later(**span):
                moved[0] += timedelta(**span)

            yield Given(Api(Role.CLIENT), ids, later, settings.ENCRYPTED_BUCKET)

    yield made
    configured.root_key.cache_clear()


def kill_and_deliver(task, job_id, after, passes, *, of=()):
    """Kill the worker after so many calls, deliver the job to fresh ones until it has ended; return the calls until then."""
    with killed(after, of=of) as calls, suppress(Killed):
        task(job_id)
    forget_everything()
    configured.root_key.cache_clear()
    writing.known_chains().names = ["007"]
    ended = deliver_until_ended(task, job_id, passes)
    assert ended.state is JobState.SUCCEEDED, f"{after}: {calls[-1]}: {ended.error}"
    return list(calls)


def taken_twice():
    found = [item["key_id"]["S"] for item in rows(QuantumKeyTable.Meta.table_name)]
    return len(found) - len(set(found))


@requirement("A9", "C6", "I3", "I4")
@pytest.mark.parametrize("kind", KINDS)
def test_a_job_of_any_kind_killed_in_its_midst_is_done_in_the_end(world, kind):
    """After its second change: it has begun, and has not said how far it is. At all calls: below, slow."""
    assert len(killed_at(world, kind, 2, of=WRITES)) >= 2


@requirement("A9", "C6", "I3", "I4")
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_a_job_of_any_kind_killed_at_any_call_is_done_in_the_end(world, kind, record_property):
    for after in count():
        if len(killed_at(world, kind, after)) <= after:
            break
    record_property(PROPERTY, (f"job {kind}, killed", after, 0))


def killed_at(world, kind, after, *, of=()):
    """Run a job whose worker is killed after so many calls, and demand all that it is for; return its calls until then."""
    task, start = KINDS[kind]
    with world() as given:
        job_id, is_done = start(given)
        calls = kill_and_deliver(task, job_id, after, given.passes, of=of)
        assert is_done(), f"{after}: {calls[-1]}"
        assert taken_twice() == 0, f"{after}: {calls[-1]}"
        assert verify().problems == [], f"{after}: {calls[-1]}"
    return calls
