"""Sessions in the background: batches, and what takes longer than the API may."""

import uuid
from contextlib import suppress

from django.conf import settings

from apps.access import principals
from apps.access.records import PrincipalNotFound
from apps.audit.records import Actor, ActorKind
from apps.audit.services import Conflict
from apps.common import clock
from apps.jobs import services as jobs
from apps.jobs.records import Job, JobState
from apps.jobs.running import Work, job_task
from apps.sessions import services, stock
from apps.sessions.job_kinds import SessionJob
from apps.sessions.records import Session
from apps.sessions.services import GenerateRequest
from qkd import session

NAMESPACE = uuid.UUID("0d1f5c55-6f0e-4b7c-9b0b-3f6a6c1c2f1e")  # of ids of refills
REFILL_SECONDS = 900  # a refill takes no longer; one that is older is no reason not to start another


def generate_later(request: GenerateRequest, *, count: int, actor: Actor, job_id: str | None = None) -> Job:
    """Queue a job that runs ``count`` sessions; it tells how far it is.

    Raises:
        Invalid: names the field and what is allowed.
        Conflict: there is a job of this id.
    """
    services.check(request, actor=actor)
    return jobs.enqueue(
        SessionJob.GENERATE, total=count, parameters=request.as_document(), actor=actor, job_id=job_id
    )


def generate_now_or_later(request: GenerateRequest, *, actor: Actor) -> Session | Job:
    """Run a session, or queue it as a job where it would take longer than a request may.

    Raises:
        Invalid: names the field and what is allowed.
    """
    if services.estimated_seconds(request) > settings.GENERATE_LIMIT_SECONDS:
        return generate_later(request, count=1, actor=actor)
    return services.generate(request, actor=actor)


@job_task(SessionJob.GENERATE, failure="A session could not be run; what was made until then is kept.")
def generate_batch(work: Work) -> bool:
    """Run a job's sessions, each recorded before the next, so that a killed worker's job goes on where it was.

    A cancellation is seen also while a long session runs, which is not recorded then; every session that is recorded
    is named in the results.
    """
    request = GenerateRequest(**work.job.parameters)
    owner = _as_actor(work.job.owner)
    engine = work.with_heartbeats(session.run)
    made: list[str] = list(work.job.results.get("session_ids", []))
    while len(made) < work.job.total:
        made.append(services.generate(request, actor=owner, engine=engine).session_id)
        work.report(done=len(made), results={"session_ids": made})
        if work.job.owner == str(stock.REFILLER):
            work.pause(settings.STOCK_SESSION_PAUSE)  # a core is not only there for the stock
    return True


def _as_actor(owner: str) -> Actor:
    """The owner of a job as the one who acts, in the groups that it belongs to now."""
    kind, _, identifier = owner.partition(":")
    groups: tuple[str, ...] = ()
    if kind != ActorKind.SYSTEM:
        with suppress(PrincipalNotFound):  # a person of the console who was not admitted is in no group
            groups = principals.find(owner).groups
    return Actor(ActorKind(kind), identifier, groups=frozenset(groups))


def refill_later() -> int:
    """Queue a job that refills a low stock at a pace, and raise the alarm; return how many sessions it will run.

    Nothing is queued while a refill is under way, nor within REFILL_SECONDS of one that was cancelled. Of two runs of
    the schedule at once, one queues.
    """
    found = stock.stock()
    wanted = stock.sessions_wanted(found)
    recent = jobs.listed_of(stock.REFILLER, limit=1).records
    if not wanted or any(_holds_back(job) for job in recent):
        return 0
    stock.raise_alarm(found, actor=stock.REFILLER)
    # Named after the refill before it: whoever saw the same one asks for the same job
    job_id = str(uuid.uuid5(NAMESPACE, recent[0].job_id if recent else "the first"))
    try:
        generate_later(stock.refill_request(), count=wanted, actor=stock.REFILLER, job_id=job_id)
    except Conflict:
        return 0
    return wanted


def _holds_back(job: Job) -> bool:
    """Return whether the latest refill is reason enough not to start another."""
    open_or_cancelled = not job.state.ended or job.state is JobState.CANCELLED
    return open_or_cancelled and job.created_at > clock.ago(REFILL_SECONDS)
