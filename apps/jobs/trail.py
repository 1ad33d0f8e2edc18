"""What the trail records about jobs."""

from apps.audit.records import Event


class JobEvent(Event):
    """Entries about one job."""

    QUEUED = "job.queued", "A job was queued."
    CANCELLED = "job.cancelled", "A job was cancelled, or asked to end."
    BEGUN = "job.begun", "A worker took a job up."
    ENDED = "job.ended", "A job succeeded, failed, or ended because it was cancelled."


# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.jobs.control._write": "How far a job is, and that its worker lives: many times a minute. Begin, end and cancellation have entries.",
    "apps.common.turns.take": "Which run is at a part of a schedule, and until when: what the part changes has its entries.",
    "apps.common.turns._keep": "That the run which has a part's turn lives, every ten seconds.",
    "apps.common.turns.end": "That a part's turn is over, and what it passed over: what it changed has its entries.",
    "apps.jobs.shares._write": "Which of a principal's jobs have a place among the workers: it decides when they run, not what they do.",
}
