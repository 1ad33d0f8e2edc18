"""Encrypting in the background what takes longer than a Lambda may run."""

import uuid

from apps.audit.records import system
from apps.common import clock
from apps.files.bodies.objects import ObjectRef
from apps.files.job_kinds import FileJob
from apps.files.records import Upload
from apps.files.uploads import giving_up, pipeline
from apps.jobs import services as jobs
from apps.jobs.control import JobCancelled
from apps.jobs.records import JobState
from apps.jobs.running import Work, job_task

MIB = 2**20
ENCRYPTOR = system("encryptor")


def encrypt_later(source: ObjectRef, file: Upload, size: int) -> str | None:
    """Encrypt an upload in the background: one job for each object version, whose progress its owner sees.

    Returns:
        why the upload is given up instead: its encryption was cancelled a day ago, and nothing came since.
    """
    name = f"encrypt {source.bucket}/{source.key}/{source.version}"
    job = jobs.enqueue_once(
        FileJob.ENCRYPT_UPLOAD,
        job_id=str(uuid.uuid5(pipeline.NAMESPACE, name)),
        total=-(-size // MIB),
        parameters=source.as_document() | {"file_id": file.file_id},
        actor=ENCRYPTOR,
        owner=file.owner,
    )
    if job.state is not JobState.CANCELLED or job.ended_at is None:
        return None
    # Again, as a job that was cancelled while it waited has no worker that could
    giving_up.note_cancelled(file.file_id, source, actor=ENCRYPTOR)
    return giving_up.CANCELLED if job.ended_at < clock.ago(giving_up.KEPT_SECONDS) else None


@job_task(FileJob.ENCRYPT_UPLOAD, failure="The upload could not be encrypted; it is tried again.", alone=True)
def encrypt_upload(work: Work) -> bool:
    """Encrypt a job's upload from its beginning; the sweep queues one again whose worker was killed or failed.

    Cancelled on its way, the attempt ends: its parts are aborted, its quantum key is discarded. The plaintext stays
    for a day, and the file awaits its upload, with the reason; the sweep does not start it against the cancellation.
    Content that is uploaded again in that time is encrypted by a job of its own; else the upload is rejected.
    """
    source = ObjectRef.of(work.job.parameters)
    work.report(done=0)
    try:
        pipeline.encrypt_uploaded(
            source, actor=ENCRYPTOR, progress=lambda done: work.report(done=done // MIB)
        )
    except JobCancelled:
        giving_up.note_cancelled(str(work.job.parameters["file_id"]), source, actor=ENCRYPTOR)
        raise
    return work.complete(done=int(work.job.total))
