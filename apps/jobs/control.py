"""Jobs that tell how far they are, and that can be cancelled."""

from collections.abc import Mapping
from typing import Any

from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.errors import Refused
from apps.jobs import services
from apps.jobs.records import Job, JobState
from apps.jobs.store import JobTable
from apps.jobs.trail import JobEvent


class JobCancelled(Exception):
    """Someone asked for the job's end; it is recorded as cancelled. What was done until then stays."""


def cancel(job_id: str, *, actor: Actor) -> Job:
    """End a job that waits, or ask its worker to end it after the current step.

    Raises:
        JobNotFound: no such job, or another's.
        Refused: it has ended, or did so meanwhile.
    """
    job = services.find(job_id, actor=actor)
    refused = Refused(f"The job is {job.state}; only one that waits or runs can be cancelled.")
    if job.state.ended:
        raise refused
    actions: list[Action] = [JobTable.cancel_requested.set(True)]
    if job.state is JobState.QUEUED:
        actions += [
            JobTable.state.set(JobState.CANCELLED),
            JobTable.ended_at.set(clock.now()),
            JobTable.queued_feed.remove(),
        ]
    with transaction(actor) as tx:
        tx.update(JobTable.of(job), actions, condition=JobTable.state == job.state, otherwise=refused)
        tx.audit(JobEvent.CANCELLED, job_id=job_id, kind=job.kind.value, done=int(job.done))
    return services.find(job_id, actor=actor)


def report(job: Job, *, done: int, results: Mapping[str, Any]) -> Job:
    """Store how far a job is.

    Raises:
        JobCancelled: it is to end here; its state says so now.
    """
    row = JobTable.of(job)
    row.update(
        [
            JobTable.done.set(done),
            JobTable.total.set(max(int(job.total), done)),
            JobTable.results.set(results),
            JobTable.heard_at.set(clock.now()),
        ]
    )
    reported: Job = row.record()
    if reported.cancel_requested:
        row.update([JobTable.state.set(JobState.CANCELLED), JobTable.ended_at.set(clock.now())])
        raise JobCancelled(job.job_id)
    return reported
