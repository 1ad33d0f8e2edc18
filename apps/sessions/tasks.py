"""Sessions in the background: batches, and what takes longer than the API may."""

from contextlib import suppress

from django.conf import settings

from apps.access import principals
from apps.access.records import PrincipalNotFound
from apps.audit.records import Actor, ActorKind
from apps.jobs import results
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.jobs.running import Work, job_task
from apps.sessions import services, stock
from apps.sessions.job_kinds import SessionJob
from apps.sessions.records import Session
from apps.sessions.services import GenerateRequest


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


def takes_long(request: GenerateRequest, *, actor: Actor) -> bool:
    """Return whether a session would take longer than a request may.

    Raises:
        Invalid: names the field and what is allowed.
        LinkUnusable: the link is paused, quarantined or retired.
    """
    planned = services.planned(request, actor=actor)
    return services.estimated_seconds(planned) > settings.GENERATE_LIMIT_SECONDS


def generate_now_or_later(request: GenerateRequest, *, actor: Actor) -> Session | Job:
    """Run a session, or queue it as a job where it would take longer than a request may.

    Raises:
        Invalid: names the field and what is allowed.
        LinkUnusable: the link is paused, quarantined or retired.
    """
    if takes_long(request, actor=actor):
        return generate_later(request, count=1, actor=actor)
    return services.generate(request, actor=actor)


@job_task(SessionJob.GENERATE, failure="A session could not be run; what was made until then is kept.")
def generate_batch(work: Work) -> bool:
    """Run a job's sessions, each recorded before the next, so that a killed worker's job goes on where it was.

    A cancellation also stops a long session, which is not recorded then. Each session and its place in the results
    are kept together, so that none is made twice, and none is without a name.
    """
    request = GenerateRequest(**work.job.parameters)
    from qkd import session  # noqa: PLC0415 - imports numpy, which processes that only send do without

    owner = _as_actor(work.job.owner)

    def engine(parameters: session.SessionParameters) -> session.SessionResult:
        return work.compute(lambda check: session.run(parameters, check=check))

    made = results.count(work.job)
    if made > work.job.done:  # the worker before this one died before it told
        work.report(done=made)
    while made < work.job.total:
        if work.must_hand_over:
            return False
        services.generate(request, actor=owner, engine=engine, also=_named(work.job, made))
        made += 1
        work.progress(done=made)
        if work.job.owner == str(stock.REFILLER):
            work.pause(settings.STOCK_SESSION_PAUSE)  # a core is not only there for the stock
    return work.complete(done=made)


def _named(job: Job, number: int) -> services.Also:
    """Name a session in its job's results, in the transaction that keeps it."""
    return lambda tx, made: results.put(tx, job, number=number, subject=made.session_id)


def _as_actor(owner: str) -> Actor:
    """The owner of a job as the one who acts, in the groups that it belongs to now."""
    kind, _, identifier = owner.partition(":")
    groups: tuple[str, ...] = ()
    if kind != ActorKind.SYSTEM:
        with suppress(PrincipalNotFound):  # a person of the console who was not admitted is in no group
            groups = principals.find(owner).groups
    return Actor(ActorKind(kind), identifier, groups=frozenset(groups))
