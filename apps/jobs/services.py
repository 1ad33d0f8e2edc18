"""Jobs: recorded before they are queued, advanced by their worker, ended once."""

import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import Conflict, Transaction, may_see, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound
from apps.common.sweeps import each
from apps.jobs import store
from apps.jobs.records import Job, JobKind, JobState
from apps.jobs.store import JobTable, jobs_page
from apps.jobs.trail import JobEvent

log = logging.getLogger(__name__)
SILENT_SECONDS = 300  # of no sign from a worker: it is gone


class JobNotFound(NotFound):
    """No such job, or another's."""


class JobTakenOver(Exception):
    """The job's message was delivered twice, and the other worker is ahead."""


def enqueue(
    kind: JobKind,
    *,
    total: int,
    parameters: Mapping[str, Any],
    actor: Actor,
    send: Callable[[str], object],
    job_id: str | None = None,
) -> Job:
    """Record a job, then hand its id to ``send`` (a Celery task's ``delay``).

    A job whose message was not sent, or lost, stays ``queued``; the sweep sends it again.
    """
    job = new(kind, total=total, parameters=parameters, actor=actor, job_id=job_id)
    with transaction(actor) as tx:
        put(tx, job)
    dispatch(job, send)
    return job


def new(
    kind: JobKind, *, total: int, parameters: Mapping[str, Any], actor: Actor, job_id: str | None = None
) -> Job:
    """A job that waits, not recorded yet."""
    return Job(
        job_id=job_id or str(uuid.uuid4()),
        kind=kind,
        state=JobState.QUEUED,
        owner=str(actor),
        total=total,
        created_at=clock.now(),
        parameters=parameters,
    )


def put(tx: Transaction, job: Job) -> None:
    """Record a new job in the transaction of what it is for; once that is committed, ``dispatch`` it."""
    tx.put(JobTable.of(job))
    tx.audit(JobEvent.QUEUED, job_id=job.job_id, kind=job.kind.value, total=job.total)


def dispatch(job: Job, send: Callable[[str], object]) -> None:
    """Send a recorded job's message. Where that fails the job stays queued, and the sweep sends it again."""
    try:
        send(job.job_id)
    except Exception:
        log.exception("job %s is recorded but not sent yet", job.job_id)


def enqueue_once(
    kind: JobKind,
    *,
    job_id: str,
    total: int,
    parameters: Mapping[str, Any],
    actor: Actor,
    send: Callable[[str], object],
) -> Job:
    """As ``enqueue`` for work that must not be queued twice: one that failed or fell silent is sent again."""
    there = JobTable.find(job_id)
    if there is None:
        with suppress(Conflict):  # someone else was faster: theirs it is
            return enqueue(kind, job_id=job_id, total=total, parameters=parameters, actor=actor, send=send)
        return find(job_id, actor=actor)
    silent = there.state is JobState.RUNNING and not _is_alive(there)
    if there.state is not JobState.FAILED and not silent:
        return there
    queued = replace(there, state=JobState.QUEUED, done=0, error=None, ended_at=None, created_at=clock.now())
    with transaction(actor) as tx:
        tx.replace(JobTable.of(queued), condition=JobTable.state == there.state)
        tx.audit(JobEvent.QUEUED, job_id=job_id, kind=kind.value, total=total)
    dispatch(queued, send)
    return queued


def _is_alive(job: Job) -> bool:
    return job.heard_at is not None and job.heard_at > clock.ago(SILENT_SECONDS)


def start_alone(job_id: str) -> Job | None:
    """As ``start``, for work that starts from the beginning again: None also while another worker is at it."""
    job = JobTable.find(job_id)
    if job is not None and job.state is JobState.RUNNING and _is_alive(job):
        return None
    started = start(job_id)
    if started is not None:
        progress(started, done=0)
    return started


def progress(job: Job, *, done: int) -> None:
    """Tell how far a job is that has no steps to go on from."""
    JobTable.of(job).update([JobTable.done.set(done), JobTable.heard_at.set(clock.now())])


def find(job_id: str, *, actor: Actor) -> Job:
    """One job that the actor may see.

    Raises:
        JobNotFound: no such job, or another's.
    """
    job = JobTable.find(job_id)
    if job is None or not may_see(actor, job.owner, job_id=job_id):
        raise JobNotFound(f"There is no job {job_id!r}.")
    return job


def known(job_id: str) -> Job | None:
    """A job as the platform itself needs it, or None."""
    return JobTable.find(job_id)


def start(job_id: str) -> Job | None:
    """Mark a job as running; None when it ended already (a message delivered twice)."""
    job = JobTable.find(job_id)
    if job is None or job.state.ended:
        return None
    row = JobTable.of(job)
    started = JobTable.started_at.set(job.started_at or clock.now())
    row.update([JobTable.state.set(JobState.RUNNING), JobTable.queued_feed.remove(), started])
    return row.record()


def advance(job: Job, *, done: int, results: Mapping[str, Any]) -> None:
    """Store that one more step is done; a restarted worker goes on from there.

    Raises:
        JobTakenOver: another worker did this step, so the job is its own.
    """
    actions: list[Action] = [JobTable.done.set(done), JobTable.results.set(results)]
    try:
        JobTable.of(job).update(actions, condition=JobTable.done == done - 1)
    except UpdateError as error:
        if error.cause_response_code == "ConditionalCheckFailedException":
            raise JobTakenOver(job.job_id) from error
        raise


def end(job: Job, *, error: str | None = None) -> None:
    """The job is over, well or not."""
    state = JobState.FAILED if error else JobState.SUCCEEDED
    actions: list[Action] = [JobTable.state.set(state), JobTable.ended_at.set(clock.now())]
    if error:
        actions.append(JobTable.error.set(error))
    JobTable.of(job).update(actions)


def listed(*, actor: Actor, limit: int, position: Position | None = None) -> Page[Job]:
    """Jobs that the actor may see, newest first."""
    return jobs_page(limit=limit, position=position, owner=None if actor.sees_all else str(actor))


def listed_of(owner: Actor, *, limit: int) -> Page[Job]:
    """Jobs of one owner, newest first."""
    return jobs_page(limit=limit, position=None, owner=str(owner))


def queued(kind: JobKind | None = None) -> list[Job]:
    """Jobs (of one kind) that no worker has started, the oldest first."""
    return [job for job in store.queued() if kind in {None, job.kind}]


def send_unsent(sends: Mapping[JobKind, Callable[[str], object]], *, seconds: int) -> int:
    """Send jobs of these kinds again whose message was lost between record and queue; returns how many."""
    waiting = [job for kind in sends for job in queued(kind)]
    unsent = [job for job in waiting if job.created_at < clock.ago(seconds)]
    return each(unsent, lambda job: sends[job.kind](job.job_id))
