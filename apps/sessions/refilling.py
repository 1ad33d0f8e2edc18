"""Jobs that refill the stock before it is empty: by measured demand, one at a time."""

import logging
import time
import uuid

from pynamodb.exceptions import PynamoDBException

from apps.audit.records import Actor
from apps.audit.services import Conflict
from apps.common import clock
from apps.common.errors import PlatformError
from apps.jobs import services as jobs
from apps.jobs.records import Job, JobState
from apps.links import services as links
from apps.sessions import stock, store
from apps.sessions.job_kinds import SessionJob
from apps.sessions.services import GenerateRequest

NAMESPACE = uuid.UUID("0d1f5c55-6f0e-4b7c-9b0b-3f6a6c1c2f1e")  # of ids of refills
REFILL_SECONDS = 900  # a refill takes no longer; one that is older is no reason not to start another
WATCH_SECONDS = 60.0  # between looks at the stock, of all processes together, beside the schedule's
log = logging.getLogger(__name__)


def refill_later() -> int:
    """Measure the stock, and queue a job that refills a low one; return how many sessions it will run.

    Nothing is queued while a refill is under way, nor within REFILL_SECONDS of one that was cancelled. Of two runs at
    once, one queues. The alarm is raised where the stock is below its fixed low-water mark: demand alone is no alarm.
    """
    found = stock.measured(actor=stock.REFILLER)
    wanted = stock.sessions_wanted(found)
    if wanted and not links.ensure_built_in(links.STOCK).is_active:
        log.warning("%d quantum keys are left, and the stock's link is not active", found.total)
        return 0
    recent = jobs.listed_of(stock.REFILLER, limit=1).records
    if not wanted or any(holds_back(job) for job in recent):
        return 0
    if found.is_alarming:
        stock.raise_alarm(found, actor=stock.REFILLER)
    return queue(stock.refill_request(), sessions=wanted, after=recent, actor=stock.REFILLER)


def queue(request: GenerateRequest, *, sessions: int, after: list[Job], actor: Actor) -> int:
    """Queue a refill behind the one before it; return how many sessions it will run, none where another was faster."""
    # Named after the refill before it: whoever saw the same one asks for the same job
    job_id = str(uuid.uuid5(NAMESPACE, after[0].job_id if after else f"the first of {request.link}"))
    try:
        jobs.enqueue(
            SessionJob.GENERATE, total=sessions, parameters=request.as_document(), actor=actor, job_id=job_id
        )
    except Conflict:
        return 0
    return sessions


class _Watch:
    """When this process looks at the stock again. A new process has other things to do first."""

    def __init__(self) -> None:
        self.next = time.monotonic() + WATCH_SECONDS


_watch = _Watch()


def watch() -> None:
    """Look, once a minute, whether the stock is low: whoever takes keys notices before the schedule does.

    What fails is logged and left to the schedule: the key that was taken meanwhile is.
    """
    if time.monotonic() < _watch.next:
        return
    _watch.next = time.monotonic() + WATCH_SECONDS
    try:
        last = store.level(links.STOCK).measured_at
        if last is None or not clock.is_recent(last, seconds=WATCH_SECONDS):
            refill_later()
    except (PlatformError, PynamoDBException) as error:
        log.warning("the stock was not looked at: %s", error)


def holds_back(job: Job) -> bool:
    """Return whether the latest refill is reason enough not to start another."""
    open_or_cancelled = not job.state.ended or job.state is JobState.CANCELLED
    return open_or_cancelled and clock.is_recent(job.created_at, seconds=REFILL_SECONDS)
