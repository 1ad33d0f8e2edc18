"""Long custody work in the background. A message carries the job's id only."""

from apps.audit.records import system
from apps.common.errors import Refused
from apps.custody import recovery, reencryption, rootkeys, rotations
from apps.custody.job_kinds import CustodyJob
from apps.jobs.running import Work, job_task

WORKER = system("rewrapper")
REPORTED = 25  # secrets between two reports


@job_task(
    CustodyJob.REWRAP_FILES, failure="Not all files could be re-wrapped; those that were stay re-wrapped."
)
def rewrap_files(work: Work) -> bool:
    """Re-wrap files until none is left, or long enough: then the next message goes on.

    A cancellation is seen after the batch under way, which is one transaction.
    """
    return rotations.run(work, actor=WORKER)


@job_task(
    CustodyJob.REENCRYPT_FILES,
    failure="Not all files could be re-encrypted; those that were stay re-encrypted.",
)
def reencrypt_files(work: Work) -> bool:
    """Re-encrypt files until none is left, or long enough: then the next message goes on.

    A cancellation is seen also within a large file, which then stays as it was.
    """
    return reencryption.run(work, actor=WORKER)


@job_task(
    CustodyJob.ROTATE_ROOT,
    failure="Not every secret could be re-wrapped; the older root key still opens the others. Retry it.",
)
def rotate_root(work: Work) -> bool:
    """Wrap every secret under the current root key; what a run before has done is done."""

    def progress(done: int, total: int) -> None:
        if done % REPORTED == 0 or done == total:
            work.report(done=done)

    rewrapped = rootkeys.rotate(actor=WORKER, progress=progress)
    work.report(done=max(rewrapped, int(work.job.done)), results={"rewrapped": rewrapped})
    return True


@job_task(
    CustodyJob.SEAL_SECRETS,
    failure="Not every secret could be sealed; those that were stay sealed. Retry it.",
)
def seal_secrets(work: Work) -> bool:
    """Seal every secret to the recovery key."""

    def progress(done: int) -> None:
        if done and done % REPORTED == 0:
            work.report(done=done)

    found = recovery.seal_missing(actor=WORKER, progress=progress)
    work.report(
        done=found.done + found.already,
        results={"sealed": found.done, "sealed_before": found.already, "failed": found.failed},
    )
    if not found.whole:
        raise Refused(f"{len(found.failed):,} secrets could not be sealed. The results say why.")
    return True
