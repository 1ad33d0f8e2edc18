"""What a job makes, each in a row of its own: a row of the job that named them all would be written anew each time."""

from dataclasses import replace

from apps.audit.records import Actor
from apps.audit.services import Transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.jobs import kinds, services, store
from apps.jobs.control import JobTakenOver
from apps.jobs.records import Job, Result
from apps.jobs.store import ResultTable

DIGITS = 9  # of a place: more steps than any job has
SHOWN = 100  # with the job itself; the rest has pages of its own


def put(tx: Transaction, job: Job, *, number: int, subject: str) -> None:
    """Name what a step made in the transaction that keeps it, so that neither is there without the other.

    Where another worker has done the step already, the transaction raises JobTakenOver and keeps nothing.

    Args:
        tx: of what is made.
        job: as started.
        number: of the step, from 0.
        subject: the id of what is made.
    """
    row = ResultTable.of(Result(job.job_id, f"{number:0{DIGITS}}", subject, clock.now()))
    tx.put(row, otherwise=JobTakenOver(job.job_id))


def count(job: Job) -> int:
    """How many steps are done: one more than the number of the last."""
    last = store.results_page(job.job_id, limit=1, position=None).records
    return last[0].number + 1 if last else 0


def with_first(job: Job) -> Job:
    """The job, its results naming what its first SHOWN steps made, where its kind keeps that in rows."""
    kind = kinds.all_kinds().get(job.kind)
    if kind is None or not kind.names:
        return job
    made = store.results_page(job.job_id, limit=SHOWN, position=None, oldest_first=True).records
    return replace(job, results={**job.results, kind.names: [one.subject for one in made]})


def listed(job_id: str, *, actor: Actor, limit: int, position: Position | None = None) -> Page[Result]:
    """What a job made, the latest first.

    Raises:
        JobNotFound: no such job, or another's.
    """
    return store.results_page(services.find(job_id, actor=actor).job_id, limit=limit, position=position)
