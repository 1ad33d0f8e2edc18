"""Jobs: recorded before they are queued, found, listed, and sent again where their message was lost."""

import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from apps.audit.records import Actor
from apps.audit.services import Conflict, Transaction, may_see, transaction
from apps.common import clock, tracing
from apps.common.dynamodb import Page, Position
from apps.common.errors import NotFound, Refused
from apps.common.idempotency import keep
from apps.common.sweeps import each
from apps.jobs import kinds, shares, store
from apps.jobs.kinds import JobKind
from apps.jobs.records import SILENT_SECONDS, Job, JobState
from apps.jobs.store import JobTable, jobs_page
from apps.jobs.trail import JobEvent

log = logging.getLogger(__name__)
LOST_SECONDS = 120  # without a heartbeat; a message is shown again 60 seconds after the last: SQS comes first
RESENT_FIRST, RESENT_LONGEST = 240, 86_400  # seconds: the sweep comes every five minutes
SURELY_ALIVE_SECONDS = 10  # since the last heartbeat, two of which may be late
SPARE = 4  # messages for a place that is free: one that no worker can start keeps it from nobody
UNTAKEN_SECONDS = 300  # since a message was due that no worker took up


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

    Raises:
        TooManyJobs: the owner has as many jobs that wait or run as one may have.
    """
    job = new(kind, total=total, parameters=parameters, actor=actor, owner=owner, job_id=job_id)
    if kinds.is_shared(kind):
        shares.check_open(job.owner, actor=actor)
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
        trace=tracing.carried(),
    )


def put(tx: Transaction, job: Job) -> Job:
    """Record a new job in the transaction of what it is for; once that is committed, ``dispatch`` what is returned."""
    row = JobTable.of(job)
    keep(tx, "job", job_id=job.job_id)
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

    One that was cancelled stays so. One that fails again and again is tried after ever longer waits, up to a day.
    """
    there = JobTable.find(job_id)
    if there is None:
        with suppress(Conflict):  # someone else was faster: theirs it is
            return enqueue(kind, job_id=job_id, total=total, parameters=parameters, actor=actor, owner=owner)
        return find(job_id, actor=actor)
    if there.state is JobState.FAILED and _is_due_again(there):
        with suppress(Conflict):
            return _resend(there, actor)
        return find(job_id, actor=actor)
    if there.is_silent:
        dispatch(there)
    return there


def _is_due_again(failed: Job) -> bool:
    """Return whether one that failed may be tried again: each time after twice as long, in the end once a day."""
    wait = min(RESENT_LONGEST, RESENT_FIRST * 2 ** min(int(failed.resent), 32))
    return failed.ended_at is None or failed.ended_at < clock.ago(wait)


def retry(job_id: str, *, actor: Actor) -> Job:
    """Queue a job again that failed: it goes on with what it has not done yet.

    Raises:
        JobNotFound: no such job, or another's.
        Refused: it has not failed, or was changed meanwhile.
        TooManyJobs: its owner has as many jobs that wait or run as one may have.
    """
    job = find(job_id, actor=actor)
    if job.state is not JobState.FAILED:
        raise Refused(f"Job {job_id} is {job.state}; only one that failed can be retried.")
    if kinds.is_shared(job.kind):
        shares.check_open(job.owner, actor=actor)
    try:
        return _resend(job, actor, done=int(job.done))
    except Conflict:
        raise Refused(f"Job {job_id} was changed meanwhile. Look at it again.") from None


def _resend(failed: Job, actor: Actor, *, done: int = 0) -> Job:
    """Queue a failed job again, from its beginning or from what it has done."""
    queued = replace(
        failed,
        state=JobState.QUEUED,
        done=done,
        error=None,
        ended_at=None,
        created_at=clock.now(),
        run=None,
        due_at=None,
        deaths=0,
        postponed=0,
        resent=int(failed.resent) + 1,
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


def unfinished() -> Iterator[Job]:
    """Every job that has not ended, the oldest first, for the platform's own use."""
    return store.unfinished()


def listed(
    *, actor: Actor, limit: int, position: Position | None = None, owner: str | None = None
) -> Page[Job]:
    """Jobs that the actor may see, newest first; of one owner, for who sees every owner's."""
    return jobs_page(limit=limit, position=position, owner=owner if actor.sees_all else str(actor))


def listed_of(owner: Actor, *, limit: int) -> Page[Job]:
    """Jobs of one owner, newest first."""
    return jobs_page(limit=limit, position=None, owner=str(owner))


def revive(job: Job) -> bool:
    """Send the message again of a job that nobody works on or will; return whether it was so."""
    if not _is_lost(job, UNTAKEN_SECONDS, silent=SILENT_SECONDS):
        return False
    dispatch(job)
    return True


def look_again(job_id: str) -> None:
    """Have a job looked at again whose message was shown while its worker may have died: SQS shows it once only.

    A job whose heartbeat came just now is left to its worker, and so is the message.
    """
    job = JobTable.find(job_id)
    if job is not None and job.is_alive and job.awaited_since < clock.ago(SURELY_ALIVE_SECONDS):
        kinds.send(job.kind, job_id, seconds=SILENT_SECONDS)


def send_next(owner: str) -> None:
    """Send the messages of an owner's jobs that wait, for all places that are free; the sweep does so too.

    Not for the one that has become free alone: of two jobs that end before a worker takes up the next, both would send
    that one. A message too many has nothing to do.
    """
    try:
        free: int | None = None
        for job in shares.waiting(owner):
            free = shares.free_places(owner) if free is None else free - 1
            if free <= 0:
                return
            kinds.send(job.kind, job.job_id)
    except Exception:  # the work before it has ended, and its message must not come again
        log.exception("the next job of %s is not sent yet", owner)


def send_lost(*, seconds: int = UNTAKEN_SECONDS) -> int:
    """Send the messages of jobs again that no worker took up, or whose worker is gone; returns how many.

    Of those that wait for a place among the workers, few are sent beyond those that are free: each that ends sends the
    next, and hundreds of messages of one owner would only have workers start what they then have to give back.

    Args:
        seconds: since a message was due, after which it counts as lost; LOST_SECONDS for one under way.
    """
    lost = (job for job in store.unfinished() if _is_lost(job, seconds, silent=LOST_SECONDS))
    return each(_placed(lost), lambda job: kinds.send(job.kind, job.job_id))


def _placed(jobs: Iterable[Job]) -> Iterator[Job]:
    """Those that a worker would start now: of each owner's that wait, the first, for the places that are left to it."""
    left: dict[str, int] = {}
    for job in jobs:
        # Of an unknown kind it is yielded, too: sending it fails, and the others are sent
        if job.state is JobState.QUEUED and kinds.is_known(job.kind) and kinds.is_shared(job.kind):
            if job.owner not in left:
                free = shares.free_places(job.owner)
                left[job.owner] = free + SPARE if free else 0
            left[job.owner] -= 1
            if left[job.owner] < 0:
                continue
        yield job


def _is_lost(job: Job, seconds: int, *, silent: int) -> bool:
    if job.state is JobState.QUEUED:
        return job.is_overdue(seconds=seconds)
    return job.is_silent and job.is_overdue(seconds=silent)
