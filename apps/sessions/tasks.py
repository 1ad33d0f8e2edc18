"""Sessions in the background: batches, and what takes longer than the API may."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from celery import shared_task
from django.conf import settings

from apps.audit.records import Actor, ActorKind, system
from apps.common import clock
from apps.jobs import services as jobs
from apps.jobs.messages import keep_hidden
from apps.jobs.records import Job, JobKind
from apps.sessions import services, stock
from apps.sessions.records import Session
from apps.sessions.services import GenerateRequest

if TYPE_CHECKING:
    from celery import Task

log = logging.getLogger(__name__)
REFILLER = system("refiller")
TOLD_SECONDS = 60  # between signs that the worker lives: far below the queue's visibility time-out
REFILL_SECONDS = 900  # a refill takes no longer; one that is older is no reason not to start another


def generate_later(request: GenerateRequest, *, count: int, actor: Actor) -> Job:
    """Run ``count`` sessions in the background; the job tells how far it is.

    Raises:
        Invalid: names the field and what is allowed.
    """
    services.estimated_seconds(request)  # refuses what the engine would refuse
    return _queue(request, count, actor)


def generate_now_or_later(request: GenerateRequest, *, actor: Actor) -> Session | Job:
    """Run a session, or queue it as a job where it would take longer than a request may.

    Raises:
        Invalid: names the field and what is allowed.
    """
    if services.estimated_seconds(request) > settings.GENERATE_LIMIT_SECONDS:
        return _queue(request, 1, actor)
    return services.generate(request, actor=actor)


def _queue(request: GenerateRequest, count: int, actor: Actor) -> Job:
    return jobs.enqueue(
        JobKind.GENERATE_SESSIONS,
        total=count,
        parameters=request.as_document(),
        actor=actor,
        send=generate_batch.delay,
    )


@shared_task(name="sessions.generate_batch", bind=True)
def generate_batch(self: "Task[[str], None]", job_id: str) -> None:
    """Run a job's sessions, each recorded before the next, so that a killed worker's job goes on where it was."""
    job = jobs.start(job_id)
    if job is None:
        return
    try:
        _run(job, alive=lambda: keep_hidden(self.request))
    except jobs.JobTakenOver:
        log.info("job %s is done by another worker", job_id)
    except Exception:
        log.exception("job %s failed", job_id)
        jobs.end(job, error="A session could not be run; what was made until then is kept.")


def _run(job: Job, *, alive: Callable[[], object]) -> None:
    request = GenerateRequest(**job.parameters)
    kind, _, identifier = job.owner.partition(":")
    owner = Actor(ActorKind(kind), identifier)
    told = time.monotonic()
    made: list[str] = list(job.results.get("session_ids", []))
    while len(made) < job.total:
        made.append(services.generate(request, actor=owner).session_id)
        jobs.advance(job, done=len(made), results={"session_ids": made})
        if time.monotonic() - told > TOLD_SECONDS:
            alive()
            told = time.monotonic()
        if job.owner == str(REFILLER):
            time.sleep(settings.STOCK_SESSION_PAUSE)  # a core is not only there for the stock
    jobs.end(replace(job, done=len(made)))


def send_unsent(*, seconds: int) -> int:
    """Send jobs again whose message was lost between record and queue; returns how many."""
    return jobs.send_unsent({JobKind.GENERATE_SESSIONS: generate_batch.delay}, seconds=seconds)


def refill_later() -> int:
    """Refill a low stock by a job at a pace, and raise the alarm; returns how many sessions it will run.

    While a refill is under way nothing more is started.
    """
    found = stock.stock()
    wanted = stock.sessions_wanted(found)
    if not wanted or _refilling():
        return 0
    stock.raise_alarm(found, actor=REFILLER)
    generate_later(stock.refill_request(), count=wanted, actor=REFILLER)
    return wanted


def _refilling() -> bool:
    recent = jobs.listed_of(REFILLER, limit=1).records
    return any(not job.state.ended and job.created_at > clock.ago(REFILL_SECONDS) for job in recent)
