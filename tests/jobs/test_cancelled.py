"""Every kind of job ends soon after it is cancelled, says how far it came, and leaves nothing half done (A9, C6, I4)."""

import os
import time
from datetime import timedelta

import pytest
from django.conf import settings as django_settings

from apps.common import clock, scheduling
from apps.common.aws import client
from apps.common.scheduling import Schedule
from apps.custody import reencryption, retirement
from apps.custody import tasks as custody
from apps.custody.reencryption import Suspect, SuspectKind
from apps.detections import services as detections
from apps.files import tasks as files
from apps.files.bodies import encrypted
from apps.files.keys import rewrap
from apps.files.states import FileStatus
from apps.jobs import control, heartbeats, results
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.jobs.store import JobTable
from apps.sessions import offering, refilling, reservations, services
from apps.sessions import tasks as sessions
from apps.sessions.records import QuantumKeyState, StockEmpty
from apps.sessions.services import GenerateRequest
from apps.sessions.store import QuantumKeyTable
from qkd import session
from qkd.classical import LocalChannel
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import rows_under
from tests.faults import LONGEST, Fault, injected
from tests.queues import die, into
from tests.sessions.ready import long
from tests.tables import rows, versions
from tests.uploads import plaintext_of, put, record_of, registered

MIB = 2**20
ENCRYPTED = django_settings.ENCRYPTED_BUCKET
SETTLING = {
    "jobs sent again",
    "uploads encrypted",
    "uploads given up",
    "stale uploads aborted",
    "reservations ended",
    "orphaned bodies removed",
}
SLOW = 240.0  # seconds that a cancelled job of these tests may go on: it would take ten minutes


@pytest.fixture
def sent(monkeypatch):
    """The job ids that were put on the queue, of any kind."""
    ids: list[str] = []
    for task in (
        sessions.generate_batch,
        files.encrypt_upload,
        custody.rewrap_files,
        custody.reencrypt_files,
    ):
        monkeypatch.setattr(task, "apply_async", into(ids))
    return ids


@pytest.fixture
def _beating(monkeypatch):
    """Heartbeats come at once, where seconds would pass between them."""
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0.02)


def job_of(job_id):
    return jobs.find(job_id, actor=TESTS)


def cancel_within(monkeypatch, owner, name, job_id, *, call=1):
    """Cancel a job from within the ``call``-th call of a function."""
    real, calls = getattr(owner, name), []

    def around(*arguments, **named):
        calls.append(name)
        if len(calls) == call:
            control.cancel(job_id, actor=TESTS)
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, around)


def open_uploads():
    return client("s3").list_multipart_uploads(Bucket=ENCRYPTED).get("Uploads", [])


def swept_of_uploads():
    """Run the parts of a sweep that settle jobs, uploads and reservations, without their turns."""
    parts = [part for part in scheduling.parts_of(Schedule.SWEEP) if part.name in SETTLING]
    assert len(parts) == len(SETTLING)
    for part in parts:
        part.run()


def held_reservations():
    found = [item["state"]["S"] for item in rows(QuantumKeyTable.Meta.table_name)]
    return [state for state in found if state == QuantumKeyState.RESERVED]


@requirement("A9", "C6")
def test_a_batch_ends_after_the_session_under_way_which_is_named(aws, sent, monkeypatch):
    asked = GenerateRequest(key_length=64, error_rate=0.01)
    monkeypatch.setattr(heartbeats, "PROGRESS_SECONDS", 0.0)  # a report after each
    job = sessions.generate_later(asked, count=50, actor=TESTS)
    cancel_within(monkeypatch, services, "generate", job.job_id, call=2)
    sessions.generate_batch(job.job_id)
    ended = job_of(job.job_id)
    assert (ended.state, ended.total) == (JobState.CANCELLED, 50)
    assert ended.done == 2, "by the next report"
    made = [one.session_id for one in services.listed(actor=TESTS, limit=50).records]
    assert sorted(results.with_first(ended).results["session_ids"]) == sorted(made), (
        "none is recorded that the job does not name"
    )
    sessions.generate_batch(job.job_id)
    assert job_of(job.job_id) == ended


@requirement("A9", "C6")
@pytest.mark.usefixtures("_beating")
def test_a_cancelled_session_stops_computing_and_is_not_recorded(aws, sent, monkeypatch):
    """Of 1 Mbit, which takes a quarter of a minute; cancelled at its first exchange."""
    job = sessions.generate_later(GenerateRequest(key_length=2**20), count=5, actor=TESTS)
    exchanged, told = list[float](), list[bool]()
    answer, beat = LocalChannel._exchange, heartbeats.Work._keep_beating

    def keep_beating(work, stop):
        beat(work, stop)
        told.append(True)  # the thread has ended, as the job has: it told the computing one before

    monkeypatch.setattr(heartbeats.Work, "_keep_beating", keep_beating)

    def exchange(channel, *asked):
        if not exchanged:
            control.cancel(job.job_id, actor=TESTS)
            until = time.monotonic() + SLOW
            while not told and time.monotonic() < until:
                time.sleep(0.02)
        exchanged.append(time.monotonic())
        return answer(channel, *asked)

    monkeypatch.setattr(LocalChannel, "_exchange", exchange)
    sessions.generate_batch(job.job_id)
    assert len(exchanged) < 10, "of hundreds"
    assert (job_of(job.job_id).state, job_of(job.job_id).done) == (JobState.CANCELLED, 0)
    assert services.listed(actor=TESTS, limit=50).records == []


@requirement("C6")
@pytest.mark.usefixtures("_beating")
def test_a_heartbeat_that_fails_costs_nothing_but_itself(aws, sent, monkeypatch, caplog):
    job = sessions.generate_later(GenerateRequest(key_length=64), count=1, actor=TESTS)
    real = session.run

    def long_run(parameters, **named):
        with injected(Fault.THROTTLED, operation="UpdateItem") as injection:
            until = time.monotonic() + SLOW
            while injection.struck is None and time.monotonic() < until:
                time.sleep(0.02)
        return real(parameters, **named)

    monkeypatch.setattr(session, "run", long_run)
    sessions.generate_batch(job.job_id)
    assert "no heartbeat" in caplog.text
    assert (job_of(job.job_id).state, job_of(job.job_id).done) == (JobState.SUCCEEDED, 1)


@requirement("A8", "C6")
@pytest.mark.usefixtures("_beating")
def test_a_refill_ends_within_its_pause(aws, sent, settings, monkeypatch):
    settings.STOCK_SESSION_PAUSE, settings.STOCK_TARGET = 600.0, 2048
    refilling.refill_later()
    cancel_within(monkeypatch, time, "sleep", sent[0], call=3)
    began = time.monotonic()
    sessions.generate_batch(sent[0])
    assert time.monotonic() - began < SLOW
    assert (job_of(sent[0]).state, job_of(sent[0]).done) == (JobState.CANCELLED, 1)


@pytest.fixture
def upload(api, stock, sent, settings, monkeypatch):
    """An upload of 5 MiB whose encryption is queued, and that tells progress after each MiB."""
    settings.EVENT_UPLOAD_BYTES = 1000
    monkeypatch.setattr(encrypted, "PROGRESS_BYTES", MIB)
    made = registered(api, os.urandom(20 * MIB))
    handler(made.event, None)
    return made


@requirement("C9", "C6", "I4")
def test_a_cancelled_encryption_leaves_the_plaintext_and_nothing_else(api, upload, sent, monkeypatch):
    cancel_within(monkeypatch, control, "report", sent[0], call=12)  # two parts of 8 MiB are full
    files.encrypt_upload(sent[0])
    ended = job_of(sent[0])
    assert (ended.state, ended.done, ended.total) == (JobState.CANCELLED, 12, 20)
    assert open_uploads() == []
    assert versions(ENCRYPTED) == []
    assert held_reservations() == []
    assert not upload.is_gone
    shown = api.get(f"files/{upload.file_id}").json()
    assert shown["status"] == "awaiting_upload"
    assert "cancelled. Upload the content again" in shown["reason"]


@requirement("C9", "C6", "I1", "I4")
@pytest.mark.parametrize("fault", LONGEST)
def test_whichever_call_fails_a_cancelled_encryption_leaves_nothing_half_done(
    api, pool, sent, settings, monkeypatch, fault, each_call
):
    long(1024)  # each try takes some: without, the job waits for keys and is never cancelled
    settings.EVENT_UPLOAD_BYTES = 1000
    monkeypatch.setattr("apps.files.bodies.objects.PART_BYTES", 80_000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr(encrypted, "PROGRESS_BYTES", 90_000)  # after the first part
    report, now = control.report, clock.now

    def prepare():
        made = registered(api, os.urandom(200_000))
        handler(made.event, None)
        return made, sent[-1]

    def attempt(subject):
        _, job_id = subject
        reports = []

        def cancelled_before(job, *, done, results=None):
            reports.append(done)
            if len(reports) > 1:  # the first is at its begin, the second after the first part
                JobTable.of(job).update([JobTable.cancel_requested.set(True)])
            return report(job, done=done, results=results)

        with monkeypatch.context() as patch:
            patch.setattr(control, "report", cancelled_before)
            files.encrypt_upload(job_id)

    cancelled = 0
    for place, (made, job_id) in each_call("cancel an encryption", fault, prepare, attempt):
        is_cancelled = job_of(job_id).cancel_requested  # else the call failed before anybody asked for it
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now", lambda: now() + timedelta(seconds=reservations.RESERVED_SECONDS + 60))
            if not job_of(job_id).state.ended:
                die(job_id)
                files.encrypt_upload(job_id)  # its message is delivered again
            swept_of_uploads()
            assert held_reservations() == [], place
            assert open_uploads() == [], place
            assert job_of(job_id).state.ended, place
            if is_cancelled:
                cancelled += 1
                assert job_of(job_id).state is JobState.CANCELLED, place
                assert not made.is_gone, place
                assert [one for one in versions(ENCRYPTED) if made.file_id in one["Key"]] == [], place
                assert "cancelled" in str(record_of(made.file_id).reason), place
        client("s3").delete_object(
            Bucket=settings.UPLOADS_BUCKET, Key=made.key, VersionId=made.version
        )  # or the sweep looks at it each time
    assert cancelled > 10, "many calls come after the cancellation"


@requirement("C9", "C6", "I4")
def test_the_sweep_does_not_start_an_encryption_against_its_cancellation(upload, sent, monkeypatch):
    control.cancel(sent[0], actor=TESTS)  # while it waits: no worker ever sees it
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=2))
    swept_of_uploads()
    assert len(sent) == 1
    assert not upload.is_gone
    assert "cancelled" in str(record_of(upload.file_id).reason)
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=26))
    for _ in range(2):
        swept_of_uploads()
    assert len(sent) == 1
    assert record_of(upload.file_id).status is FileStatus.REJECTED
    assert "cancelled" in str(record_of(upload.file_id).reason)
    assert upload.is_gone, "no plaintext stays for good"


@requirement("C9", "C6")
def test_content_that_is_uploaded_again_after_a_cancellation_is_encrypted(api, upload, sent, monkeypatch):
    cancel_within(monkeypatch, control, "report", sent[0])
    files.encrypt_upload(sent[0])
    file_id = upload.file_id
    again = put(upload.key, os.urandom(3 * MIB))
    handler(again.event, None)
    files.encrypt_upload(sent[1])
    assert again.is_safe
    assert api.get(f"files/{file_id}").json()["reason"] is None
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=26))
    swept_of_uploads()
    assert upload.is_gone, "nor does the first plaintext"
    assert plaintext_of(file_id) == again.content


@requirement("C6", "I5")
@pytest.mark.usefixtures("_beating")
def test_a_re_wrapping_ends_within_its_pace(pool, sent, settings, monkeypatch):
    settings.REWRAP_PER_SECOND = 0.1
    old = pool[0]
    rows_under(old, 50)
    job_id = rotated(old, sent)
    cancel_within(monkeypatch, time, "sleep", job_id, call=3)
    began = time.monotonic()
    custody.rewrap_files(job_id)
    assert time.monotonic() - began < SLOW, "its pace would take 400 seconds"
    ended = job_of(job_id)
    assert (ended.state, ended.done) == (JobState.CANCELLED, rewrap.BATCH)
    assert rewrap.waiting_count(old.key_id) == 10


@pytest.fixture
def large_file(api, pool, settings, monkeypatch):
    """An encrypted file of 20 MiB, and quantum keys for more."""
    made = services.generate(GenerateRequest(key_length=4096, error_rate=0.01), actor=TESTS)
    assert detections.judge(made.session_id, actor=TESTS).outcome == "ready"
    settings.REWRAP_PER_SECOND = 1_000_000
    upload = registered(api, os.urandom(20 * MIB))
    handler(upload.event, None)
    monkeypatch.setattr(encrypted, "PROGRESS_BYTES", MIB)
    return record_of(upload.file_id)


@requirement("C6", "C9", "I4")
def test_a_re_encryption_ends_within_a_large_file_which_stays_as_it_was(large_file, sent, monkeypatch):
    job = reencryption.start(Suspect(SuspectKind.FILE, large_file.file_id), reason="test", actor=TESTS)
    before = versions(ENCRYPTED)
    monkeypatch.setattr(heartbeats, "HEARTBEAT_SECONDS", 0)
    cancel_within(monkeypatch, control, "report", job.job_id, call=12)
    custody.reencrypt_files(job.job_id)
    assert (job_of(job.job_id).state, job_of(job.job_id).done) == (JobState.CANCELLED, 0)
    assert record_of(large_file.file_id) == large_file
    assert versions(ENCRYPTED) == before
    assert (open_uploads(), held_reservations()) == ([], [])


@requirement("C6")
@pytest.mark.usefixtures("_beating")
def test_a_re_encryption_ends_while_it_waits_for_quantum_keys(large_file, sent, monkeypatch):
    def none_left(**_):
        raise StockEmpty("none")

    job = reencryption.start(Suspect(SuspectKind.FILE, large_file.file_id), reason="test", actor=TESTS)
    monkeypatch.setattr(offering, "offer", none_left)
    monkeypatch.setattr(reencryption, "WAIT_SECONDS", 600)
    cancel_within(monkeypatch, time, "sleep", job.job_id, call=3)
    began = time.monotonic()
    custody.reencrypt_files(job.job_id)
    assert time.monotonic() - began < SLOW
    assert job_of(job.job_id).state is JobState.CANCELLED


def rotated(key, sent):
    """Take a key out of use; the job that moves its files."""
    retirement.rotate(key.key_id, reason="test", actor=TESTS)
    return sent[-1]
