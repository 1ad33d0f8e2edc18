"""What operators asked for, in the background. A message carries the job's id only."""

import logging

from django.conf import settings
from django.utils.module_loading import import_string

from apps.audit.records import Outcome, system
from apps.audit.services import record
from apps.common import scheduling
from apps.common.errors import Refused
from apps.common.scheduling import Schedule
from apps.jobs.running import Work, job_task
from apps.operations.job_kinds import OperationsJob
from apps.operations.trail import OperationEvent

log = logging.getLogger(__name__)
REDRIVER = system("redriver")


@job_task(
    OperationsJob.REDRIVE, failure="The dead letters could not be tried again; those that were not stay."
)
def redrive(work: Work) -> bool:
    """Try dead letters again, each once; a cancellation is seen between two."""
    wanted = work.job.parameters.get("message_ids")
    only = None if wanted is None else frozenset(map(str, wanted))
    done, failed = 0, {}
    for tried in import_string(settings.REDRIVER)(limit=int(work.job.total), only=only):
        done += 1
        if tried.error is not None:
            failed[tried.message_id] = tried.error
        record(
            REDRIVER,
            OperationEvent.LETTER_REDRIVEN,
            outcome=Outcome.OK if tried.error is None else Outcome.FAILED,
            message_id=tried.message_id,
            what=tried.what,
            error=tried.error,
            job_id=work.job.job_id,
        )
        told = {"succeeded": done - len(failed), **({"failed_again": failed} if failed else {})}
        work.report(done=done, results=told)
    if failed:
        raise Refused(f"{len(failed):,} of {done:,} failed again and stay. The log says where.")
    if not done:
        raise Refused(
            "None of these dead letters is there now: they were tried, dropped, or are held elsewhere."
        )
    return True


@job_task(
    OperationsJob.RUN_SCHEDULE,
    failure="The schedule could not be run to its end; its next run goes on.",
)
def run_schedule(work: Work) -> bool:
    """Run the parts of a schedule, each for its slice; where the worker's time ends before the last, the next goes on.

    A cancellation is seen between two parts. Retried, it runs those that failed.
    """
    schedule = Schedule(str(work.job.parameters["schedule"]))
    parts = {part.name for part in scheduling.parts_of(schedule)}
    ran, failed = (list(work.job.results.get(name, ())) for name in ("ran", "failed"))
    if parts <= set(ran):
        ran, failed = [name for name in ran if name not in failed], []
    for one in scheduling.each_part(schedule, but=ran):
        ran.append(one.part)
        if one.error is not None:
            failed.append(one.part)
            log.error("%s: %r failed", schedule, one.part, exc_info=one.error)
        work.report(done=len(ran), results={"ran": ran, **({"failed": failed} if failed else {})})
    if not parts <= set(ran):
        return False
    if failed:
        raise Refused(
            f"Parts failed: {', '.join(failed)}. The log says why; the schedule's next run tries again."
        )
    return True
