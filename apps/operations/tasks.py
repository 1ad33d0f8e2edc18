"""What operators asked for, in the background. A message carries the job's id only."""

import logging
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from apps.audit.records import Outcome, system
from apps.audit.services import record
from apps.common import clock, scheduling
from apps.common.errors import Refused, Unavailable
from apps.common.scheduling import Schedule
from apps.jobs.running import Work, job_task
from apps.operations import letters
from apps.operations.job_kinds import OperationsJob
from apps.operations.trail import OperationEvent

log = logging.getLogger(__name__)
REDRIVER = system("redriver")


class _Trying:
    """Dead letters as they are tried: what became of them until now is in the job's results, for the next worker too."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.done = int(work.job.done)
        self.failed: dict[str, str] = dict(work.job.results.get("failed_again", {}))
        self.hidden_before: str | None = work.job.results.get("hidden_since")
        if not self.hidden_before:  # it came to its end and is retried: those that failed are tried once more
            self.done, self.failed = self.done - len(self.failed), {}

    def tell(self, tried: Any) -> None:
        """Leave an entry on one that was tried, before it is deleted."""
        record(
            REDRIVER,
            OperationEvent.LETTER_REDRIVEN,
            outcome=Outcome.OK if tried.error is None else Outcome.FAILED,
            message_id=tried.message_id,
            what=tried.what,
            error=tried.error,
            job_id=self._work.job.job_id,
        )

    def count(self, tried: Any) -> None:
        """Count one that was tried; from now on another one may be hidden."""
        self.done += 1
        if tried.error is not None:
            self.failed[tried.message_id] = tried.error
        self.store(hidden_since=clock.as_text(clock.now()))

    def store(self, **hidden: str) -> None:
        """Store how far the job is.

        Raises:
            JobCancelled, JobTakenOver, OutOfTime: as ``Work.report``.
        """
        told = {"succeeded": self.done - len(self.failed), "failed_again": self.failed, **hidden}
        results = {name: value for name, value in told.items() if value or name == "succeeded"}
        self._work.report(done=self.done, results=results)


@job_task(
    OperationsJob.REDRIVE, failure="The dead letters could not be tried again; those that were not stay."
)
def redrive(work: Work) -> bool:
    """Try dead letters again, each once; a cancellation is seen between two.

    A worker that is killed leaves what it had received hidden. So each says since when that may be: the next one waits
    for those letters, and counts what is still not there as tried, since that is when a letter is deleted.
    """
    trying, total = _Trying(work), int(work.job.total)
    hidden, wanted = trying.hidden_before, work.job.parameters.get("message_ids")
    trying.store(hidden_since=clock.as_text(clock.now()))
    for tried in import_string(settings.REDRIVER)(
        limit=total - trying.done,
        only=None if wanted is None else frozenset(map(str, wanted)),
        but=frozenset(trying.failed),
        tell=trying.tell,
    ):
        trying.count(tried)
    if hidden and trying.done < total:
        if clock.is_recent(clock.from_text(hidden), seconds=letters.HELD_SECONDS):
            trying.store(hidden_since=hidden)
            raise Unavailable(
                "A worker that ended hides dead letters still, for a quarter of an hour at most."
            )
        trying.done = total
    trying.store()
    if trying.failed:
        raise Refused(f"{len(trying.failed):,} of {trying.done:,} failed again and stay. The log says where.")
    if not trying.done:
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
