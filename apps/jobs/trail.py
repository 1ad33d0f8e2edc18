"""What the trail records about jobs."""

from apps.audit.records import Event


class JobEvent(Event):
    """Entries about one job."""

    QUEUED = "job.queued", "A job was queued."
    CANCELLED = "job.cancelled", "A job was cancelled, or asked to end."
