"""The one way in which a task works on a job: started, reported, ended, whatever happens in between.

A task that returns has its message deleted; one that raises does not, so that it is delivered again. So what becomes
of the job is recorded, and what goes on with it is sent, before the task returns.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from celery import Task, shared_task

from apps.common import tracing
from apps.common.errors import PlatformError
from apps.common.transient import is_transient
from apps.jobs import control, kinds, services, shares
from apps.jobs.control import JobCancelled, JobTakenOver
from apps.jobs.heartbeats import OutOfTime, Work
from apps.jobs.kinds import JobKind
from apps.jobs.records import Job
from apps.metrics.units import spent_on

__all__ = ["Work", "job_task"]
log = logging.getLogger(__name__)
Run = Callable[[Work], bool]
NO_ANSWER = "Something that the job needs does not answer, or is too busy."


def job_task(kind: JobKind, *, failure: str) -> Callable[[Run], "Task[[str], None]"]:
    """Make the Celery task of a kind of job from the function that does the work.

    The function returns whether the work is done. If it is not, another message goes on with it: so a job may last
    longer than a worker may run. Where it fails for a reason that passes by itself, the job waits and is tried again.

    Args:
        kind: what is declared.
        failure: what the job says where the work fails for a reason that is not told; never the exception's text.
    """

    def decorate(run: Run) -> "Task[[str], None]":
        def task(self: "Task[[str], None]", job_id: str) -> None:
            with tracing.entered(_told(self.request), job_id=job_id):
                job = _start(kind, job_id)
                if job is None:
                    services.look_again(job_id)
                    return
                # What the record says is authentic, and no other's that happened to send the message again
                with tracing.entered(tracing.of_text(job.trace)), spent_on(lambda: f"job {kind.value}"):
                    goes_on = _work(run, Work(job, request=self.request, queue=kinds.queue_of(kind)), failure)
                if not goes_on and kinds.is_shared(kind):
                    services.send_next(job.owner)

        task.__doc__, task.__module__ = run.__doc__, run.__module__
        made: Task[[str], None] = shared_task(name=kind.task, bind=True)(task)
        return made

    return decorate


def _told(request: Any) -> tracing.Trace | None:
    """The trace that a message tells of, in a worker of Celery's as in a function."""
    return tracing.of_text((getattr(request, "headers", None) or {}).get(kinds.TRACE))


def _start(kind: JobKind, job_id: str) -> Job | None:
    """Start a job that has a place among the workers; one that has none stays queued."""
    if not kinds.is_shared(kind):
        return control.start(job_id)
    job = control.start(job_id, admit=shares.has_room)
    if job is None or shares.take_place(job):
        return job
    control.hand_over(job)  # another job of its owner's took the last place just now
    return None


def _work(run: Run, work: Work, failure: str) -> bool:
    """Do the work, and record what becomes of the job; return whether it goes on in a message sent just now."""
    job_id = work.job.job_id
    try:
        with work.heard():
            is_done = run(work)
    except JobCancelled:
        log.info("job %s was cancelled", job_id)
    except JobTakenOver:
        log.info("job %s is done by another worker", job_id)
    except OutOfTime:
        log.warning("job %s: its worker's time ended within a step", job_id)
        return _go_on(work, died=True)
    except Exception as error:
        if is_transient(error):
            _postpone(work, error)
        else:
            log.exception("job %s failed", job_id)
            control.end(work.settled, error=error.detail if isinstance(error, PlatformError) else failure)
    else:
        if not is_done:
            return _go_on(work)
        control.end(work.settled)
    return False


def _go_on(work: Work, *, died: bool = False) -> bool:
    if not control.hand_over(work.settled, died=died):
        return False
    kinds.send(work.job.kind, work.job.job_id)
    return True


def _postpone(work: Work, error: Exception) -> None:
    why = error.detail if isinstance(error, PlatformError) else NO_ANSWER
    job = work.settled
    if job.done > work.job.done:  # it got further since the failure before
        job = replace(job, postponed=0)
    seconds = control.postpone(job, why=why)
    log.warning("job %s: %s, tried again in %s s", work.job.job_id, type(error).__name__, seconds)
    if seconds is not None:
        kinds.send(work.job.kind, work.job.job_id, seconds=seconds)
