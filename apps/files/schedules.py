"""The files' parts of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.files import tasks
from apps.files.life import archive, expiry, orphans, shredding, sweeping
from apps.files.uploads import pipeline

ENCRYPTED_WITHIN_SECONDS = 300  # long enough that the event itself, and its retries, come first


def _encrypt_overdue() -> int:
    return pipeline.finish_overdue(seconds=ENCRYPTED_WITHIN_SECONDS, actor=SWEEPER, later=tasks.encrypt_later)


PARTS = [
    Part(Schedule.SWEEP, 20, "uploads encrypted", _encrypt_overdue),
    Part(Schedule.SWEEP, 30, "uploads given up", lambda: sweeping.give_up_uploads(actor=SWEEPER)),
    Part(Schedule.SWEEP, 40, "stale uploads aborted", sweeping.abort_stale_uploads),
    Part(Schedule.SWEEP, 50, "reservations ended", lambda: sweeping.end_reservations(actor=SWEEPER)),
    Part(Schedule.SWEEP, 60, "orphaned bodies removed", lambda: orphans.remove_due(actor=SWEEPER)),
    Part(Schedule.SWEEP, 70, "downloads removed", sweeping.remove_downloads),
    Part(
        Schedule.SWEEP,
        80,
        "moves to and from cold storage resumed",
        lambda: archive.finish_moves(actor=SWEEPER),
    ),
    Part(
        Schedule.SWEEP,
        85,
        "files deleted at the end of their lifetime",
        lambda: expiry.delete_due(actor=SWEEPER),
    ),
    Part(Schedule.SWEEP, 90, "files shredded", lambda: shredding.shred_due(actor=SWEEPER)),
    Part(Schedule.ROTATE, 20, "comparisons of bodies started", tasks.reconcile_daily),
]
