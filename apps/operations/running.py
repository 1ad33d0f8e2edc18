"""Schedules run at once, by a job."""

from apps.audit.records import Actor
from apps.audit.services import record
from apps.common import scheduling
from apps.common.scheduling import Schedule
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.operations.job_kinds import OperationsJob
from apps.operations.trail import OperationEvent


def run_later(schedule: Schedule, *, actor: Actor) -> Job:
    """Have a schedule run at once; a part that another run is at just now is left to that.

    Raises:
        TooManyJobs: the actor has too many jobs.
    """
    total = len(scheduling.parts_of(schedule))
    record(actor, OperationEvent.SCHEDULE_RUN, schedule=schedule.value)
    return jobs.enqueue(
        OperationsJob.RUN_SCHEDULE, total=total, parameters={"schedule": schedule.value}, actor=actor
    )
