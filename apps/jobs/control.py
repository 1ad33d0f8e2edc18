"""What changes a job under way: start, report, give back, end and cancel.

Each write is conditioned on the state that the table of transitions starts from, and a worker's also on its run: a
cancelled job is not overwritten, an ended one does not come back, and of two workers only the later one reports.
"""

import logging
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from apps.audit.records import Actor, Outcome, system
from apps.audit.services import transaction
from apps.common import clock, tracing
from apps.common.errors import Refused
from apps.common.transient import code_of
from apps.jobs import services
from apps.jobs.records import SILENT_SECONDS, Job, JobState
from apps.jobs.store import JobTable
from apps.jobs.trail import JobEvent

log = logging.getLogger(__name__)
WORKER = system("worker")
ATTEMPTS = 5  # a job changes its state at most twice while one call reads and writes it
MAX_DEATHS = 5  # workers in a row that did not get the job any further: the next would fare no better
# Seconds between tries after a failure that passes by itself: doubled from the first, at most what SQS delays by
FIRST_WAIT, LONGEST_WAIT = 5, 900
MAX_POSTPONED = 100  # tries without getting further: about a day
DIED = (
    f"{MAX_DEATHS} workers in a row ended without getting any further: killed, out of memory, or out of time. "
    "What was done until then is kept. Start it again once the cause is found."
)


class JobCancelled(Exception):
    """Somebody cancelled the job, and it is recorded as cancelled. What was done until then stays."""


class JobTakenOver(Exception):
    """Another worker has the job: its message was delivered twice."""


class _JobChanged(Refused):
    """The job's state changed between reading and writing it."""


def start(job_id: str, *, admit: Callable[[Job], bool] = lambda _: True) -> Job | None:
    """Mark a job as running, for the caller's run only; one whose worker fell silent is taken over.

    Args:
        job_id: as the message says.
        admit: asked before a job that waits is started; one that it does not admit stays queued.

    Returns:
        the job, or None where there is nothing to do: it is unknown, has ended, was cancelled, is another's who is at
        it, or was not admitted.
    """
    run = uuid.uuid4().hex
    for _ in range(ATTEMPTS):
        job = JobTable.find(job_id)
        if job is None or job.state.ended or (job.is_alive and job.run != run):
            return None
        if job.is_silent and job.run != run and job.deaths + 1 >= MAX_DEATHS:
            if _give_up(job):
                return None
            continue
        if job.state is JobState.QUEUED and not admit(job):
            return None
        # A repeated write finds that it was applied before: then the run is this one already
        started = job if job.run == run else _begin(job, run)
        if started is None:
            continue
        if started.cancel_requested:
            _end(started, "cancel")
            return None
        return started
    raise _JobChanged(f"Job {job_id} changed while it was started. Its message is delivered again.")


def _unchanged(job: Job) -> Condition:
    """The condition that nobody started a job, or was heard of at it, since it was read."""
    unheard = (
        JobTable.heard_at.does_not_exist() if job.heard_at is None else JobTable.heard_at == job.heard_at
    )
    condition: Condition = (JobTable.state == job.state) & unheard
    return condition


def _begin(job: Job, run: str) -> Job | None:
    """Start a job, with its entry; None where somebody else was faster."""
    with tracing.entered(tracing.of_text(job.trace)):  # whoever sent the message, perhaps again
        return _recorded(job, _start(job, run), _unchanged(job), JobEvent.BEGUN, run=run)


def _start(job: Job, run: str) -> list[Action]:
    moment = clock.now()
    return [
        JobTable.state.set(JobState.RUNNING),
        JobTable.run.set(run),
        JobTable.started_at.set(job.started_at or moment),
        JobTable.heard_at.set(moment),
        JobTable.deaths.set(int(job.deaths) + job.is_silent),
        JobTable.due_at.remove(),
        JobTable.error.remove(),
    ]


def _give_up(job: Job) -> bool:
    """End a job whose workers always die; of one that was cancelled, as its owner wanted."""
    unheard = JobTable.heard_at == job.heard_at
    name = "cancel" if job.cancel_requested else "fail"
    return _end(job, name, error=DIED, condition=unheard) is not None


def report(job: Job, *, done: int, results: Mapping[str, Any] | None = None, total: int | None = None) -> Job:
    """Store how far a job is, which is its worker's heartbeat too; a restarted worker goes on from there.

    Args:
        job: as started or as last reported.
        done: steps until now.
        results: what was made until now; None leaves them as they are.
        total: steps there are, where the work has counted them.

    Raises:
        JobCancelled: the work ends here.
        JobTakenOver: another worker goes on with it.
    """
    actions: list[Action] = [
        JobTable.done.set(done),
        JobTable.total.set(max(int(job.total if total is None else total), done)),
        JobTable.heard_at.set(clock.now()),
    ]
    if results is not None:
        actions.append(JobTable.results.set(results))
    if done > job.done:
        actions += _counted_anew()
    reported = _write(job, actions, _is_own(job))
    if reported is None:
        raise _why_lost(job)
    if reported.cancel_requested:
        _end(reported, "cancel")
        raise JobCancelled(job.job_id)
    return reported


def _counted_anew() -> list[Action]:
    """The work got further, so that what stood in its way before counts no more."""
    return [JobTable.deaths.set(0), JobTable.postponed.set(0)]


def _why_lost(job: Job) -> JobCancelled | JobTakenOver:
    found = JobTable.find(job.job_id)
    cancelled = found is not None and found.state is JobState.CANCELLED
    return JobCancelled(job.job_id) if cancelled else JobTakenOver(job.job_id)


def beat(job: Job) -> bool:
    """Tell that a job's worker lives; return whether it may go on: it still has the job, which nobody cancelled."""
    beaten = _write(job, [JobTable.heard_at.set(clock.now())], _is_own(job))
    return beaten is not None and not beaten.cancel_requested


def presume_dead(job: Job) -> None:
    """Let a job under way count as silent: its worker ended for certain, and whoever takes its message need not wait."""
    _write(job, [JobTable.heard_at.set(clock.ago(SILENT_SECONDS + 1))], _is_own(job))


def hand_over(job: Job, *, died: bool = False) -> bool:
    """Give a running job back to its queue, for the next message to go on with; return whether it waits there now.

    Args:
        job: as last reported.
        died: its worker ran out of time within one step, which counts as a death.
    """
    if died and job.deaths + 1 >= MAX_DEATHS:
        end(job, error=DIED)
        return False
    counts = [JobTable.deaths.set(int(job.deaths) + 1)] if died else _counted_anew()
    return _give_back(job, "hand_over", [JobTable.due_at.remove(), *counts])


def postpone(job: Job, *, why: str) -> int | None:
    """Give a job back after a failure that passes by itself.

    Args:
        job: as last reported.
        why: shown to its owner while it waits.

    Returns:
        the seconds after which it is due, doubled with each failure in a row; None where it waits no more: it was
        cancelled, is another worker's, or has failed so for a day.
    """
    if job.postponed + 1 >= MAX_POSTPONED:
        end(job, error=f"{why} So it was for a day; start it again once that has passed.")
        return None
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** int(job.postponed))
    seconds = max(1, int(wait * random.uniform(0.8, 1.0)))  # noqa: S311 - jitter, so that not all come back at once
    waits = [
        JobTable.due_at.set(clock.now() + timedelta(seconds=seconds)),
        JobTable.postponed.set(int(job.postponed) + 1),
        JobTable.error.set(f"{why} It is tried again."),
    ]
    return seconds if _give_back(job, "postpone", waits) else None


def _give_back(job: Job, name: str, actions: Sequence[Action]) -> bool:
    transition = job.transition(name)
    if transition is None:
        return False
    unwanted = JobTable.cancel_requested == False  # noqa: E712 - an expression of DynamoDB's
    waiting = [
        JobTable.state.set(transition.target),
        JobTable.done.set(int(job.done)),
        JobTable.heard_at.set(clock.now()),
        *actions,
    ]
    if _write(job, waiting, _is_own(job) & unwanted) is not None:
        return True
    found = JobTable.find(job.job_id)
    if found is not None and found.state is transition.target and found.run == job.run:
        return True  # a repeated write finds that it was applied before
    _end(job, "cancel")  # where it is this worker's still, somebody cancelled it
    return False


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
        *_closed(),
    ]
    if error:
        actions.append(JobTable.error.set(error))
    own = _is_own(job)
    ended = _recorded(
        job,
        actions,
        own if condition is None else own & condition,
        JobEvent.ENDED,
        outcome=Outcome.FAILED if transition.target is JobState.FAILED else Outcome.OK,
        state=transition.target.value,
        done=int(job.done),
    )
    if ended is None:
        log.info("job %s did not %s: it was changed meanwhile", job.job_id, name)
    return ended


def _closed() -> list[Action]:
    """Take a job that ends out of the lists of those that have not."""
    return [JobTable.unfinished_feed.remove(), JobTable.open_feed.remove()]


def _is_own(job: Job) -> Condition:
    """The condition that the job still runs, and that no other worker has started it since."""
    own: Condition = (JobTable.state == JobState.RUNNING) & (JobTable.run == job.run)
    return own


def _recorded(
    job: Job, actions: list[Action], condition: Condition, event: JobEvent, **detail: Any
) -> Job | None:
    """Change a job's row together with an entry; the job as it is then, or None where the condition fails."""
    changed = _JobChanged(f"Job {job.job_id} was changed meanwhile.")
    try:
        with transaction(WORKER) as tx:
            tx.update(JobTable.of(job), actions, condition=condition, otherwise=changed)
            tx.audit(event, job_id=job.job_id, kind=job.kind, owner=job.owner, **detail)
    except _JobChanged:
        return None
    return JobTable.find(job.job_id)


def _write(job: Job, actions: list[Action], condition: Condition) -> Job | None:
    """Change a job's row; the job as it is then, or None where the condition fails.

    Only how far the work is changes here, so that the row's tag stays and no entry is due.
    """
    row = JobTable.of(job)
    try:
        row.update(actions, condition=(JobTable.tag == job.tag) & condition)
    except UpdateError as error:
        if code_of(error) == "ConditionalCheckFailedException":
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
    unchanged: Condition = JobTable.state == job.state
    if not job.is_alive:
        actions += [
            JobTable.state.set(JobState.CANCELLED),
            JobTable.ended_at.set(clock.now()),
            *_closed(),
        ]
        unchanged = _unchanged(
            job
        )  # a worker that is heard of after all ends the job itself, and says how far it came
    changed = _JobChanged(f"Job {job.job_id} was changed meanwhile. Try again.")
    with transaction(actor) as tx:
        tx.update(JobTable.of(job), actions, condition=unchanged, otherwise=changed)
        tx.audit(JobEvent.CANCELLED, job_id=job.job_id, kind=job.kind, done=int(job.done))
