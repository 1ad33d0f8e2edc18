"""The trail verified and archived in the background. A message carries the job's id only."""

import json
import logging
import time
from typing import Any

from django.conf import settings

from apps.audit import archiving, verification
from apps.audit.archiving import NotArchived
from apps.audit.job_kinds import AuditJob
from apps.audit.progress import Progress
from apps.audit.records import Actor, Outcome, system
from apps.audit.services import record
from apps.audit.trail import AuditEvent
from apps.audit.verification import Verification, result_of
from apps.audit.verifying import Depth, Run
from apps.common import aws, clock
from apps.common.errors import Refused
from apps.jobs import services as jobs
from apps.jobs.control import JobCancelled
from apps.jobs.records import Job
from apps.jobs.running import Work, job_task

log = logging.getLogger(__name__)
VERIFIER = system("verifier")
ARCHIVIST = system("archivist")
NAMED_AT_MOST = 50  # problems in a job's results, which are one row; the command names all
REPORT_SECONDS = 2.0
SAVE_SECONDS = 30.0  # between states kept: what a death of the worker costs at most
SAVE_TAGS = 100_000  # of records, that are kept at the latest: 20 MB


class NotAllArchived(Refused):
    """Some chains could not be archived."""


def verify_later(*, depth: Depth, actor: Actor, job_id: str | None = None) -> Job:
    """Enqueue a verification; one with this id only once."""
    asked: dict[str, Any] = {
        "total": verification.expected_entries(),
        "parameters": {"depth": depth.value},
        "actor": actor,
    }
    if job_id is None:
        return jobs.enqueue(AuditJob.VERIFY, **asked)
    return jobs.enqueue_once(AuditJob.VERIFY, job_id=job_id, **asked)


def verify_daily(*, actor: Actor) -> int:
    """Have the whole trail and every record verified, once a day; return whether that is under way."""
    job = verify_later(depth=Depth.RECORDS, actor=actor, job_id=f"verify-audit-{clock.now():%Y-%m-%d}")
    return int(not job.state.ended)


def archive_daily(*, actor: Actor) -> int:
    """Have old entries moved to the archive, once a day; return whether that is under way."""
    if not settings.AUDIT_ARCHIVE_DAYS:
        return 0
    job = jobs.enqueue_once(
        AuditJob.ARCHIVE,
        job_id=f"archive-audit-{clock.now():%Y-%m-%d}",
        total=0,
        parameters={},
        actor=actor,
    )
    return int(not job.state.ended)


class _TimeEnds(Exception):
    """The worker's time ends, or others wait: the next message goes on."""


@job_task(AuditJob.VERIFY, failure="The verification could not be finished; start another.")
def verify(work: Work) -> bool:
    """Walk the chains from where the worker before left them; a cancellation is seen after the page under way."""
    progress = Progress(work.job.job_id)
    run = progress.load() or Run.begin(Depth(work.job.parameters["depth"]))
    if run.notes.newest is not None:
        run.notes.newest.fresh = {}
    reported = saved = time.monotonic()

    def tick() -> None:
        nonlocal reported, saved
        now = time.monotonic()
        if work.must_hand_over:
            progress.save(run)
            raise _TimeEnds
        if now - saved >= (SAVE_SECONDS if run.unsaved < SAVE_TAGS else REPORT_SECONDS):
            progress.save(run)
            saved = time.monotonic()
        if now - reported >= REPORT_SECONDS:
            work.report(done=run.entries)
            reported = now

    try:
        run.go(tick)
    except _TimeEnds:
        work.progress(done=run.entries)
        return False
    except JobCancelled:
        progress.forget()
        raise
    found = result_of(run)
    work.report(done=found.entries, results=_results(found))
    record_result(found, actor=VERIFIER, job_id=work.job.job_id, depth=str(run.depth))
    progress.forget()
    return work.complete(done=found.entries)


@job_task(AuditJob.ARCHIVE, failure="The entries could not be archived; the next day's job goes on.")
def archive(work: Work) -> bool:
    """Move old entries to the archive, chain by chain; a chain that does not verify stays, and is named."""
    left = archiving.due()
    total = sum(one.entries for one in left)
    moved, named = int(work.job.done), list(work.job.results.get("named", []))

    def tick(count: int) -> None:
        nonlocal moved
        moved += count
        if work.must_hand_over:
            raise _TimeEnds
        work.progress(done=moved)

    for one in left:
        try:
            archiving.move(one, actor=ARCHIVIST, tick=tick)
        except _TimeEnds:
            work.report(done=moved, results={"named": named})
            return False
        except NotArchived as error:
            log.error("entries are not archived: %s", error)  # noqa: TRY400 - its trace tells nothing more
            named = [*named, f"chain {one.chain}: {error}"][:NAMED_AT_MOST]
    results = {"due": total, "moved": moved, "named": named}
    work.report(done=moved, results=results)
    if named:
        raise NotAllArchived(
            f"{len(named)} chains stay as they are; the results name them. Verify the trail."
        )
    return work.complete(done=moved)


def record_result(found: Verification, *, actor: Actor, **detail: Any) -> None:
    """Record what a verification found; damage is also told in the log and on the alert topic."""
    problems = list(found.all_problems())
    for problem in problems[:NAMED_AT_MOST]:
        log.error("the audit trail is damaged: %s", problem)
    record(
        actor,
        AuditEvent.VERIFIED,
        outcome=Outcome.OK if found.whole else Outcome.FAILED,
        chains=found.chains,
        entries=found.entries,
        records=found.records,
        problems=len(problems),
        checkpoint=found.checkpoint.number if found.checkpoint else None,
        tail=found.tail,
        **detail,
    )
    if problems and settings.ALERT_TOPIC_ARN:
        message = {"event": str(AuditEvent.VERIFIED), "problems": len(problems), "first": problems[:5]}
        aws.client("sns").publish(
            TopicArn=settings.ALERT_TOPIC_ARN,
            Subject="The audit trail or the records were tampered with",
            Message=json.dumps(message),
        )


def _results(found: Verification) -> dict[str, Any]:
    problems = list(found.all_problems())
    return {
        "whole": found.whole,
        "entries": found.entries,
        "chains": found.chains,
        "records": found.records,
        "problems": len(problems),
        "named": problems[:NAMED_AT_MOST],
        "tail": found.tail_text(clock.now()),
    }
