"""Jobs: recorded before they are queued, found, listed, and sent again where their message was lost."""

import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from apps.audit.records import Actor
from apps.audit.services import Conflict, Transaction, may_see, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound
from apps.common.sweeps import each
from apps.jobs import kinds, store
from apps.jobs.kinds import JobKind
from apps.jobs.records import Job, JobState
from apps.jobs.store import JobTable, jobs_page
from apps.jobs.trail import JobEvent

log = logging.getLogger(__name__)
# Longer than a message stays hidden and a worker may run (900 seconds each): SQS comes first
LOST_SECONDS = 1200


class JobNotFound(NotFound):
    """No such job, or another's."""


def enqueue(
    kind: JobKind,
    *,
    total: int,
    parameters: Mapping[str, Any],
    actor: Actor,
    owner: str | None = None,
    job_id: str | None = None,
) -> Job:
    """Record a job, then send its message.

    A job whose message was not sent, or lost, stays ``queued``; the sweep sends it again. Its owner is the actor,
    unless another is named.
    """
    job = new(kind, total=total, parameters=parameters, actor=actor, owner=owner, job_id=job_id)
    with transaction(actor) as tx:
        job = put(tx, job)
    dispatch(job)
    return job


def new(
    kind: JobKind,
    *,
    total: int,
    parameters: Mapping[str, Any],
    actor: Actor,
    owner: str | None = None,
    job_id: str | None = None,
) -> Job:
    """A job that waits, not recorded yet; the actor's, unless another owner is named.

    Raises:
        UnknownKind: no task would do its work.
    """
    kinds.task_of(kind)
    return Job(
        job_id=job_id or str(uuid.uuid4()),
        kind=kind.value,
        state=JobState.QUEUED,
        owner=owner or str(actor),
        total=total,
        created_at=clock.now(),
        parameters=parameters,
    )


def put(tx: Transaction, job: Job) -> Job:
    """Record a new job in the transaction of what it is for; once that is committed, ``dispatch`` what is returned."""
    row = JobTable.of(job)
    tx.put(row)
    tx.audit(JobEvent.QUEUED, job_id=job.job_id, kind=job.kind, total=job.total)
    return row.record()


def dispatch(job: Job) -> None:
    """Send a recorded job's message. Where that fails the job stays as it is, and the sweep sends it again."""
    try:
        kinds.send(job.kind, job.job_id)
    except Exception:
        log.exception("job %s is recorded but not sent yet", job.job_id)


def enqueue_once(
    kind: JobKind,
    *,
    job_id: str,
    total: int,
    parameters: Mapping[str, Any],
    actor: Actor,
    owner: str | None = None,
) -> Job:
    """Enqueue work that must not be queued twice; one that failed is queued again, one that fell silent sent again.

    One that was cancelled stays so.
    """
    there = JobTable.find(job_id)
    if there is None:
        with suppress(Conflict):  # someone else was faster: theirs it is
            return enqueue(kind, job_id=job_id, total=total, parameters=parameters, actor=actor, owner=owner)
        return find(job_id, actor=actor)
    if there.state is JobState.FAILED:
        with suppress(Conflict):
            return _resend(there, actor)
        return find(job_id, actor=actor)
    if there.state is JobState.RUNNING and not there.is_alive:
        dispatch(there)
    return there


def _resend(failed: Job, actor: Actor) -> Job:
    """Queue a failed job again, from its beginning."""
    queued = replace(
        failed, state=JobState.QUEUED, done=0, error=None, ended_at=None, created_at=clock.now(), run=None
    )
    row = JobTable.of(queued)
    with transaction(actor) as tx:
        tx.replace(row, condition=JobTable.state == JobState.FAILED)
        tx.audit(JobEvent.QUEUED, job_id=queued.job_id, kind=queued.kind, total=queued.total)
    dispatch(queued)
    return row.record()


def find(job_id: str, *, actor: Actor) -> Job:
    """One job that the actor may see.

    Raises:
        JobNotFound: no such job, or another's.
    """
    job = JobTable.find(job_id)
    if job is None or not may_see(actor, job.owner, job_id=job_id):
        raise JobNotFound(f"There is no job {job_id!r}.")
    return job


def get(job_id: str) -> Job | None:
    """A job for the platform's own use, whoever owns it; None where there is none."""
    return JobTable.find(job_id)


def listed(*, actor: Actor, limit: int, position: Position | None = None) -> Page[Job]:
    """Jobs that the actor may see, newest first."""
    return jobs_page(limit=limit, position=position, owner=None if actor.sees_all else str(actor))


def listed_of(owner: Actor, *, limit: int) -> Page[Job]:
    """Jobs of one owner, newest first."""
    return jobs_page(limit=limit, position=None, owner=str(owner))


def send_lost(*, seconds: int) -> int:
    """Send the messages of jobs again that no worker took up, or whose worker is gone; returns how many.

    Args:
        seconds: since a job was queued, after which its message counts as lost; LOST_SECONDS for one under way.
    """
    lost = [job for job in store.unfinished() if _is_lost(job, seconds)]
    return each(lost, lambda job: kinds.send(job.kind, job.job_id))


def _is_lost(job: Job, seconds: int) -> bool:
    if job.state is JobState.QUEUED:
        return job.created_at < clock.ago(seconds)
    return (job.heard_at or job.created_at) < clock.ago(LOST_SECONDS)
