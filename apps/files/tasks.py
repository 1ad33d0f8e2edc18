"""Encrypting in the background what takes longer than a Lambda may run."""

import logging
import uuid

from celery import Task, shared_task

from apps.audit.records import Actor, ActorKind, system
from apps.files.bodies.objects import ObjectRef
from apps.files.records import File
from apps.files.uploads import pipeline
from apps.jobs import services as jobs
from apps.jobs.messages import keep_hidden
from apps.jobs.records import Job, JobKind

log = logging.getLogger(__name__)
MIB = 2**20
ENCRYPTOR = system("encryptor")


def encrypt_later(source: ObjectRef, file: File, size: int) -> Job:
    """Encrypt an upload in the background: one job for each object version, whose progress its owner sees."""
    kind, _, identifier = file.owner.partition(":")
    name = f"encrypt {source.bucket}/{source.key}/{source.version}"
    return jobs.enqueue_once(
        JobKind.ENCRYPT_UPLOAD,
        job_id=str(uuid.uuid5(pipeline.NAMESPACE, name)),
        total=-(-size // MIB),
        parameters=source.as_document() | {"file_id": file.file_id},
        actor=Actor(ActorKind(kind), identifier),
        send=encrypt_upload.delay,
    )


@shared_task(name="files.encrypt_upload", bind=True)
def encrypt_upload(self: "Task[[str], None]", job_id: str) -> None:
    """Encrypt a job's upload from its beginning; the sweep queues one again whose worker was killed or failed."""
    job = jobs.start_alone(job_id)
    if job is None:
        return

    def progress(done: int) -> None:
        jobs.progress(job, done=done // MIB)
        keep_hidden(self.request)

    keep_hidden(self.request)
    try:
        pipeline.encrypt_uploaded(ObjectRef.of(job.parameters), actor=ENCRYPTOR, progress=progress)
    except Exception:
        log.exception("job %s failed", job_id)
        jobs.end(job, error="The upload could not be encrypted; it is tried again.")
        return
    jobs.progress(job, done=job.total)
    jobs.end(job)


def send_unsent(*, seconds: int) -> int:
    """Send jobs again whose message was lost between record and queue; returns how many."""
    return jobs.send_unsent({JobKind.ENCRYPT_UPLOAD: encrypt_upload.delay}, seconds=seconds)
