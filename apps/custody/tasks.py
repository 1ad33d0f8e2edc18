"""Long custody work in the background. A message carries the job's id only."""

from apps.audit.records import system
from apps.custody import reencryption, rotations
from apps.custody.job_kinds import CustodyJob
from apps.jobs.running import Work, job_task

WORKER = system("rewrapper")


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
