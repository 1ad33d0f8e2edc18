"""What stands in for the queue of jobs: put in the place of a task's ``apply_async``."""

from collections.abc import Callable
from typing import Any

from apps.common import clock
from apps.jobs.records import SILENT_SECONDS
from apps.jobs.store import JobTable

Sending = Callable[..., None]


def into(ids: list[str]) -> Sending:
    """Keep the ids of the jobs that are sent."""

    def send(arguments: tuple[str], **_: Any) -> None:
        ids.append(arguments[0])

    return send


def at_once(task: Callable[[str], object]) -> Sending:
    """Work on a job where it is sent."""

    def send(arguments: tuple[str], **_: Any) -> None:
        task(arguments[0])

    return send


def die(job_id: str) -> None:
    """Let a job's worker be gone for as long as SQS hides its message."""
    job = JobTable.find(job_id)
    assert job is not None
    if job.heard_at is not None and not job.state.ended:
        JobTable.of(job).update([JobTable.heard_at.set(clock.ago(SILENT_SECONDS + 1))])
