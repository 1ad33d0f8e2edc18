"""Long custody work in the background. A message carries the job's id only."""

import logging

from celery import shared_task

from apps.audit.records import Actor, system
from apps.common import clock
from apps.common.sweeps import each
from apps.custody import rotations
from apps.files import rewrapping
from apps.jobs import services as jobs
from apps.jobs.control import JobCancelled
from apps.jobs.records import Job, JobKind
from apps.keys import rotation
from apps.keys.records import Rotation

log = logging.getLogger(__name__)
WORKER = system("rewrapper")


def rewrap_later(found: Rotation, *, actor: Actor) -> Job:
    """Move the files of a rotation in the background; the job tells how far it is.

    Raises:
        Refused: the rotation is done, or a job works on it.
    """
    rotations.check_startable(found)
    job = jobs.enqueue(
        JobKind.REWRAP_FILES,
        total=rewrapping.waiting_count(found.old_key_id),
        parameters={"rotation_id": found.rotation_id, "old_key_id": found.old_key_id},
        actor=actor,
        send=rewrap_files.delay,
    )
    rotation.note(found, job_id=job.job_id)
    return job


@shared_task(name="custody.rewrap_files")
def rewrap_files(job_id: str) -> None:
    """Work on a job until it is done, or long enough: then its next message goes on."""
    job = jobs.start(job_id)
    if job is None:
        return
    try:
        if not rotations.run(job, actor=WORKER):
            rewrap_files.delay(job_id)
    except JobCancelled:
        log.info("job %s was cancelled", job_id)
    except Exception as error:
        log.exception("job %s failed", job_id)
        jobs.end(
            job, error=getattr(error, "detail", "The files could not be moved; those that were stay so.")
        )


def continue_rotations(*, actor: Actor) -> int:
    """Give every rotation that waits for one a job; returns how many."""
    return each(rotations.to_work_on(actor=actor), lambda found: rewrap_later(found, actor=actor))


def send_unsent(*, seconds: int) -> int:
    """Send jobs again whose message was lost between record and queue; returns how many."""
    unsent = [job for job in jobs.queued(JobKind.REWRAP_FILES) if job.created_at < clock.ago(seconds)]
    return each(unsent, lambda job: rewrap_files.delay(job.job_id))
