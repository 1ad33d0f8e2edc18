"""What changes a job under way: start, report, end and cancel.

Each write is conditioned on the state that the table of transitions starts from, and a worker's also on its run: a
cancelled job is not overwritten, an ended one does not come back, and of two workers only the later one reports.
"""

import logging
import uuid
from collections.abc import Mapping
from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.errors import Refused
from apps.jobs import services
from apps.jobs.records import Job, JobState
from apps.jobs.store import JobTable
from apps.jobs.trail import JobEvent

log = logging.getLogger(__name__)
ATTEMPTS = 5  # a job changes its state at most twice while one call reads and writes it


class JobCancelled(Exception):
    """Somebody cancelled the job, and it is recorded as cancelled. What was done until then stays."""


class JobTakenOver(Exception):
    """Another worker has the job: its message was delivered twice."""


class _JobChanged(Refused):
    """The job's state changed between reading and writing it."""


def start(job_id: str, *, alone: bool = False) -> Job | None:
    """Mark a job as running, for the caller's run only; a worker that had it is taken over from.

    Args:
        job_id: as the message says.
        alone: leave the job to a worker whose heartbeat is recent.

    Returns:
        the job, or None where there is nothing to do: it is unknown, has ended, was cancelled, or is another's.
    """
    run = uuid.uuid4().hex
    for _ in range(ATTEMPTS):
        job = JobTable.find(job_id)
        if job is None or job.state.ended or (alone and job.is_alive and job.run != run):
            return None
        # A repeated write finds that it was applied before: then the run is this one already
        started = job if job.run == run else _write(job, _start(job, run), JobTable.state == job.state)
        if started is None:
            continue
        if started.cancel_requested:
            _end(started, "cancel")
            return None
        return started
    raise _JobChanged(f"Job {job_id} changed while it was started. Its message is delivered again.")


def _start(job: Job, run: str) -> list[Action]:
    moment = clock.now()
    return [
        JobTable.state.set(JobState.RUNNING),
        JobTable.run.set(run),
        JobTable.started_at.set(job.started_at or moment),
        JobTable.heard_at.set(moment),
    ]


def report(job: Job, *, done: int, results: Mapping[str, Any] | None = None) -> Job:
    """Store how far a job is, which is its worker's heartbeat too; a restarted worker goes on from there.

    Args:
        job: as started or as last reported.
        done: steps until now.
        results: what was made until now; None leaves them as they are.

    Raises:
        JobCancelled: the work ends here.
        JobTakenOver: another worker goes on with it.
    """
    actions: list[Action] = [
        JobTable.done.set(done),
        JobTable.total.set(max(int(job.total), done)),
        JobTable.heard_at.set(clock.now()),
    ]
    if results is not None:
        actions.append(JobTable.results.set(results))
    reported = _write(job, actions, _is_own(job))
    if reported is None:
        found = JobTable.find(job.job_id)
        cancelled = found is not None and found.state is JobState.CANCELLED
        raise JobCancelled(job.job_id) if cancelled else JobTakenOver(job.job_id)
    if reported.cancel_requested:
        _end(reported, "cancel")
        raise JobCancelled(job.job_id)
    return reported


def end(job: Job, *, error: str | None = None) -> None:
    """End a job whose work is done or has failed. Idempotent.

    A cancellation that came after the last report does not undo finished work: the job succeeds. Work that failed
    after one is recorded as cancelled, so that nothing starts it again. A job that is another worker's, or ended
    meanwhile, stays as it is.
    """
    if error is None:
        _end(job, "succeed")
        return
    wanted = JobTable.cancel_requested == False  # noqa: E712 - an expression of DynamoDB's
    if _end(job, "fail", error=error, condition=wanted) is None:
        _end(job, "cancel", error=error)


def _end(job: Job, name: str, *, error: str | None = None, condition: Condition | None = None) -> Job | None:
    """Take a running job to one of its ends; None where it is no longer this run's, or ``condition`` fails."""
    transition = job.transition(name)
    if transition is None:
        return None
    actions: list[Action] = [
        JobTable.state.set(transition.target),
        JobTable.ended_at.set(clock.now()),
        JobTable.done.set(int(job.done)),
        JobTable.results.set(job.results),
        JobTable.unfinished_feed.remove(),
    ]
    if error:
        actions.append(JobTable.error.set(error))
    own = _is_own(job)
    ended = _write(job, actions, own if condition is None else own & condition)
    if ended is None:
        log.info("job %s did not %s: it was changed meanwhile", job.job_id, name)
    return ended


def _is_own(job: Job) -> Condition:
    """The condition that the job still runs, and that no other worker has started it since."""
    own: Condition = (JobTable.state == JobState.RUNNING) & (JobTable.run == job.run)
    return own


def _write(job: Job, actions: list[Action], condition: Condition) -> Job | None:
    """Change a job's row; the job as it is then, or None where the condition fails.

    Only how far the work is changes here, so that the row's tag stays and no entry is due.
    """
    row = JobTable.of(job)
    try:
        row.update(actions, condition=(JobTable.tag == job.tag) & condition)
    except UpdateError as error:
        if error.cause_response_code == "ConditionalCheckFailedException":
            return None
        raise
    changed: Job = row.record()
    return changed


def cancel(job_id: str, *, actor: Actor) -> Job:
    """Cancel a job: at once where no worker is at it, else at its worker's next heartbeat. Idempotent.

    Raises:
        JobNotFound: no such job, or another's.
        Refused: it has ended.
    """
    for _ in range(ATTEMPTS):
        job = services.find(job_id, actor=actor)
        if job.state.ended:
            raise Refused(f"Job {job_id} is {job.state} and cannot be cancelled.")
        if job.cancel_requested and job.is_alive:
            return job
        try:
            _cancel(job, actor)
        except _JobChanged:  # its worker started or reported just now
            continue
        return services.find(job_id, actor=actor)
    raise Refused(f"Job {job_id} changed while it was cancelled. Try again.")


def _cancel(job: Job, actor: Actor) -> None:
    actions: list[Action] = [JobTable.cancel_requested.set(True)]
    unchanged = JobTable.state == job.state
    if not job.is_alive:
        actions += [
            JobTable.state.set(JobState.CANCELLED),
            JobTable.ended_at.set(clock.now()),
            JobTable.unfinished_feed.remove(),
        ]
        # A worker that is heard of after all ends the job itself, and says how far it came
        unchanged &= (
            JobTable.heard_at.does_not_exist() if job.heard_at is None else JobTable.heard_at == job.heard_at
        )
    changed = _JobChanged(f"Job {job.job_id} was changed meanwhile. Try again.")
    with transaction(actor) as tx:
        tx.update(JobTable.of(job), actions, condition=unchanged, otherwise=changed)
        tx.audit(JobEvent.CANCELLED, job_id=job.job_id, kind=job.kind, done=int(job.done))
