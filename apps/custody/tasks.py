"""Long custody work in the background. A message carries the job's id only."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from celery import shared_task

from apps.audit.records import Actor, system
from apps.custody import reencryption, rotations
from apps.jobs import services as jobs
from apps.jobs.control import JobCancelled
from apps.jobs.messages import keep_hidden
from apps.jobs.records import Job, JobKind

if TYPE_CHECKING:
    from celery import Task

log = logging.getLogger(__name__)
WORKER = system("rewrapper")


def reencrypt_later(named: reencryption.Named, *, reason: str, actor: Actor) -> Job:
    """Encrypt anew, in the background, what keys that count as known encrypt.

    Raises:
        SessionNotFound, KeyNotFound, FileNotFound: there is no such thing.
        Refused: the pool key still seals.
    """
    total = reencryption.affected_count(named)
    return jobs.enqueue(
        JobKind.REENCRYPT_FILES,
        total=total,
        parameters=named.as_parameters() | {"reason": reason},
        actor=actor,
        send=reencrypt_files.delay,
    )


@shared_task(name="custody.rewrap_files")
def rewrap_files(job_id: str) -> None:
    """Work on a job until it is done, or long enough: then its next message goes on."""
    _work(job_id, lambda job: rotations.run(job, actor=WORKER), rewrap_files.delay)


@shared_task(name="custody.reencrypt_files", bind=True)
def reencrypt_files(self: "Task[[str], None]", job_id: str) -> None:
    """As ``rewrap_files``, for files that are encrypted anew."""

    def run(job: Job) -> bool:
        return reencryption.run(job, actor=WORKER, alive=lambda: keep_hidden(self.request))

    _work(job_id, run, reencrypt_files.delay)


def _work(job_id: str, run: Callable[[Job], bool], again: Callable[[str], object]) -> None:
    job = jobs.start(job_id)
    if job is None:
        return
    try:
        if not run(job):
            again(job_id)
    except JobCancelled:
        log.info("job %s was cancelled", job_id)
    except Exception as error:
        log.exception("job %s failed", job_id)
        jobs.end(
            job, error=getattr(error, "detail", "Not all files could be moved; those that were stay so.")
        )


def send_unsent(*, seconds: int) -> int:
    """Send jobs again whose message was lost between record and queue; returns how many."""
    delays = {JobKind.REWRAP_FILES: rewrap_files.delay, JobKind.REENCRYPT_FILES: reencrypt_files.delay}
    return jobs.send_unsent(delays, seconds=seconds)
