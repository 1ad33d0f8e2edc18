"""How many workers and how much of the queue one principal may have (I11).

A principal's jobs run in a few places. A job whose message comes while all are taken stays queued, and its message is
done with; the next one is sent when a place becomes free. So thousands of messages of one principal are gone through
in moments, and the workers that are left serve the others.
"""

from collections.abc import Iterator

from django.conf import settings
from pynamodb.exceptions import PutError

from apps.audit.records import Actor, ActorKind
from apps.common.errors import Refused
from apps.common.transient import code_of
from apps.jobs import store
from apps.jobs.records import Job, JobState, Share
from apps.jobs.store import JobTable, ShareTable

ATTEMPTS = 10  # workers that take a place of one principal at the same moment
LOOKED_AT = 20  # jobs that are looked at for some that are due


class TooManyJobs(Refused):
    """The principal has as many jobs that wait or run as one may have."""

    status = 429
    type = "too-many-jobs"
    title = "Too many jobs are waiting"


def check_open(owner: str, *, actor: Actor) -> None:
    """Refuse a job of an owner who has as many as one may have; the platform's own work is never refused.

    Raises:
        TooManyJobs: says how many that is.
    """
    most = settings.JOBS_OPEN_PER_PRINCIPAL
    if actor.kind is ActorKind.SYSTEM or store.count_open(owner, limit=most) < most:
        return
    raise TooManyJobs(
        f"{most} jobs of yours wait or run, which is the most at a time. Wait until one has ended, or cancel one."
    )


def has_room(job: Job) -> bool:
    """Return whether one more job of its owner may run now."""
    return len(_in_places(_share(job.owner), but=job)) < settings.JOBS_RUNNING_PER_PRINCIPAL


def free_places(owner: str) -> int:
    """How many more jobs of an owner may run now."""
    return max(0, int(settings.JOBS_RUNNING_PER_PRINCIPAL) - len(_in_places(_share(owner))))


def take_place(job: Job) -> bool:
    """Take one of the owner's places for a job that was started; return whether there was one.

    A place is free once the job in it has ended, waits again, or is silent: nothing has to give it back.
    """
    for _ in range(ATTEMPTS):
        share = _share(job.owner)
        taken = _in_places(share, but=job)
        if len(taken) >= settings.JOBS_RUNNING_PER_PRINCIPAL:
            return False
        if _write(share, (*taken, job.job_id)):
            return True
    return False  # the sweep sends it again


def waiting(owner: str) -> Iterator[Job]:
    """Jobs that are due and wait for a place, the one that has waited longest first."""
    return (
        job for job in store.open_of(owner, limit=LOOKED_AT) if job.state is JobState.QUEUED and job.is_due
    )


def _share(principal: str) -> Share:
    return ShareTable.find(principal) or Share(principal)


def _in_places(share: Share, *, but: Job | None = None) -> tuple[str, ...]:
    """The jobs in a principal's places that are still under way; another's, planted there, do not count."""
    others = [JobTable.find(job_id) for job_id in share.job_ids if but is None or job_id != but.job_id]
    return tuple(job.job_id for job in others if job and job.is_alive and job.owner == share.principal)


def _write(share: Share, job_ids: tuple[str, ...]) -> bool:
    """Replace a share that nobody changed since it was read; return whether it was so."""
    row = ShareTable.of(Share(share.principal, job_ids, int(share.version) + 1))
    unchanged = ShareTable.version == share.version if share.version else ShareTable.absent()
    try:
        row.save(condition=unchanged)
    except PutError as error:
        if code_of(error) != "ConditionalCheckFailedException":
            raise
        return False
    return True
