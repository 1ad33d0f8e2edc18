"""A platform that has been at work: sessions of every outcome, keys, files, jobs, clients, and their audit trail."""

import copy
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from datetime import timedelta
from typing import Any, get_args

from django.conf import settings
from moto.dynamodb.models import dynamodb_backends

from apps.access import api_keys as access
from apps.access import principals
from apps.access.roles import Role
from apps.audit.records import Actor, ActorKind, system
from apps.audit.services import transaction
from apps.common import clock
from apps.custody import retirement
from apps.detections import services as detections
from apps.files import messages
from apps.files.records import Document, File, Upload
from apps.files.states import FileStatus, UploadStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.keys import services as keys
from apps.keys.records import PoolKey
from apps.sessions import services as sessions
from apps.sessions.job_kinds import SessionJob
from apps.sessions.records import Session
from tests.conftest import ACCOUNT, TESTS, drawn_once, forget_everything
from tests.sessions.links import a_link

ALICE = Actor(ActorKind.USER, "00000000-0000-4000-8000-0000000a11ce", "192.0.2.7", sees_all=True)
PROGRAM = Actor(ActorKind.SERVICE, "qk0123456789abcdef", "198.51.100.4")
SEALED = "c2VhbGVkIGZpbGUga2V5IHRoYXQgbm8gcGFnZSBtYXkgc2hvdw=="


def make_session(
    error_rate: float = 0.02,
    *,
    judged: bool = True,
    link: str = "default",
    actor: Actor = PROGRAM,
    **request: Any,
) -> Session:
    """Run a real session, and judge it as the stream does."""
    values: dict[str, Any] = {"key_length": 256, "error_rate": error_rate, "link": link, **request}
    asked = sessions.GenerateRequest(**values)
    made = sessions.generate(asked, actor=actor)
    if judged:
        detections.judge(made.session_id, actor=ALICE)
    return made


def make_file(number: int, name: str, key: PoolKey, source: Session, **changed: Any) -> File:
    """Record an encrypted file, with an envelope."""
    moment = clock.now() - timedelta(minutes=number)
    header = {
        "version": 1,
        "suite": "hybrid-pq-v1",
        "body": "chunked-aes-256-gcm",
        "file_id": f"file-{number}",
    }
    fields: dict[str, Any] = {
        "file_id": f"file-{number}",
        "name": name,
        "document_type": "contract",
        "owner": str(PROGRAM),
        "status": FileStatus.ENCRYPTED,
        "uploaded_at": moment,
        "attributes": {"customer": "Kessler & Söhne", "pages": 12, "signed": True},
        "media_type": "application/pdf",
        "size": 1_482_993,
        "ciphertext_size": 1_484_505,
        "source": {"bucket": "uploads", "key": f"uploads/file-{number}"},
        "body": {"bucket": "encrypted", "key": f"files/file-{number}", "version": "3HL4kqtJvjVBH40Nrjfkd"},
        "envelope": {
            "header": header,
            "pool_suite": key.suite.value,
            "pool_key_id": key.key_id,
            "sealed": SEALED,
        },
        "suite": "hybrid-pq-v1",
        "pool_key_id": key.key_id,
        "quantum_key_id": f"{source.session_id}.{number}",
        "encrypted_at": moment + timedelta(seconds=2),
    }
    uploaded = changed.get("status") in get_args(UploadStatus)
    named = {field.name for field in dataclass_fields(Upload if uploaded else Document)}
    values = {name: value for name, value in (fields | changed).items() if name in named}
    made: File = Upload(**values) if uploaded else Document(**values)
    with transaction(PROGRAM) as tx:
        tx.put(FileTable.of(made))
        tx.audit(FileEvent.ENCRYPTED, file_id=made.file_id, key_id=key.key_id, session_id=source.session_id)
    return made


def make_job(done: int, total: int, *, error: str | None = None, ended: bool = False) -> Job:
    """Record a job with its progress."""
    parameters = {"key_length": 256, "error_rate": 0.02}
    made = jobs.new(SessionJob.GENERATE, total=total, parameters=parameters, actor=PROGRAM)
    with transaction(PROGRAM) as tx:
        jobs.put(tx, made)
    started = control.start(made.job_id) if done else None
    if started is not None:
        reported = control.report(started, done=done)
        if ended:
            control.end(reported, error=error)
    return jobs.find(made.job_id, actor=ALICE)


@dataclass(frozen=True)
class Demo:
    """What was made, to be looked for on the pages."""

    ready: Session
    compromised: Session
    pending: Session
    pool_keys: list[PoolKey]
    file: File
    job: Job
    key_id: str
    message_id: str


def fill() -> Demo:
    """Fill the platform with all of it."""
    pool = keys.create(12, actor=ALICE)
    for rate in (0.012, 0.018, 0.02, 0.024, 0.03, 0.021, 0.016, 0.05, 0.028, 0.022):
        ready = make_session(rate)
    make_session(0.13)
    a_link("metro")
    attacked = {"kind": "intercept_resend", "fraction": 1.0}
    compromised = make_session(0.02, eavesdropper=attacked, link="metro")
    make_session(0.02, key_length=4096, link="stock", actor=TESTS)
    pending = make_session(0.02, judged=False)
    retirement.rotate(pool[0].key_id, reason="older than 30 days", actor=ALICE)
    retirement.revoke(pool[1].key_id, reason="laptop lost", actor=ALICE)
    document = make_file(1, "Rahmenvertrag München 2026.pdf", pool[2], ready)
    make_file(
        2,
        "scan of the very long cooperation agreement with all its appendices and schedules.tiff",
        pool[3],
        ready,
    )
    make_file(
        3,
        "../../etc/passwd",
        pool[3],
        ready,
        status=FileStatus.REJECTED,
        reason="larger than 5 GiB",
        size=None,
    )
    make_file(
        4,
        "<script>alert(1)</script>.txt",
        pool[2],
        ready,
        status=FileStatus.AWAITING_UPLOAD,
        envelope={},
        size=0,
    )
    message = messages.encrypt(b"attack at dawn", actor=PROGRAM)
    messages.decrypt(message.to_dict(), actor=PROGRAM)
    running = make_job(7, 20)
    make_job(4, 4, ended=True)
    make_job(3, 20, ended=True, error="A session could not be run; what was made until then is kept.")
    principals.admit_person(ALICE.id, "alice", role=Role.ADMINISTRATOR, actor=system("demo"))
    client, _ = access.issue_for_service("archive exporter", role=Role.CLIENT, actor=ALICE)
    access.issue_for_service("monitoring", role=Role.VIEWER, actor=ALICE)
    return Demo(ready, compromised, pending, pool, document, running, client.key_id, message.header.file_id)


_made: list[tuple[Demo, dict[str, Any]]] = []


def bring_in() -> None:
    """Fill the empty platform of a test: once for a process, from then on with copies of all rows of that.

    To be called before anything else is written, as it takes the place of all tables.
    """
    tables = dynamodb_backends[ACCOUNT][settings.AWS_REGION].tables
    if _made:
        tables.update(copy.deepcopy(_made[0][1]))
    else:
        with drawn_once("demo"):
            _made.append((fill(), copy.deepcopy(dict(tables))))
        forget_everything()  # as after a copy


def made() -> Demo:
    """Say what ``bring_in`` brought."""
    return _made[0][0]
