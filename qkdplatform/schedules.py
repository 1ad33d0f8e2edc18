"""What runs on a schedule. Each may run late, twice, or not at all once: the next run does the same."""

import logging
from collections.abc import Callable

from apps.audit.records import system
from apps.custody import destruction, retirement
from apps.detections import services as detections
from apps.files import tasks as file_tasks
from apps.files.life import archive, orphans, shredding, sweeping
from apps.files.uploads import pipeline
from apps.jobs import services as jobs
from apps.keys import services as keys
from apps.sessions import stock, tasks

log = logging.getLogger(__name__)
SWEEPER = system("sweeper")
# Long enough that the event itself, and its retries, come first
JUDGED_WITHIN_SECONDS = 120
ENCRYPTED_WITHIN_SECONDS = 300
SENT_WITHIN_SECONDS = 300


def sweep() -> None:
    """Finish what a lost event left: each part runs even when another fails."""
    parts: dict[str, Callable[[], int]] = {
        "sessions judged": lambda: detections.judge_overdue(seconds=JUDGED_WITHIN_SECONDS, actor=SWEEPER),
        "uploads encrypted": lambda: pipeline.finish_overdue(
            seconds=ENCRYPTED_WITHIN_SECONDS, actor=SWEEPER, later=file_tasks.encrypt_later
        ),
        "uploads given up": lambda: sweeping.give_up_uploads(actor=SWEEPER),
        "stale uploads aborted": sweeping.abort_stale_uploads,
        "reservations ended": lambda: sweeping.end_reservations(actor=SWEEPER),
        "bodies given up": lambda: orphans.remove_due(actor=SWEEPER),
        "downloads removed": sweeping.remove_downloads,
        "moves gone on with": lambda: archive.finish_moves(actor=SWEEPER),
        "files shredded": lambda: shredding.shred_due(actor=SWEEPER),
        "jobs sent again": lambda: jobs.send_lost(seconds=SENT_WITHIN_SECONDS),
        "rotations started": lambda: retirement.start_waiting(actor=SWEEPER),
        "pool keys destroyed": lambda: destruction.destroy_due(actor=SWEEPER),
    }
    _run_all(parts)


def refill() -> None:
    """Keep the pool and the stock above their low-water marks: one session now, a job for what it leaves missing."""
    _run_all(
        {
            "pool keys made": lambda: keys.refill(actor=SWEEPER),
            "quantum keys to come": lambda: stock.refill(actor=SWEEPER),
            "stock sessions queued": tasks.refill_later,
        }
    )


def rotate() -> None:
    """Rotate pool keys that are too old or used too often (C5)."""
    log.info("pool keys rotated: %d", retirement.rotate_due(actor=SWEEPER))


def _run_all(parts: dict[str, Callable[[], int]]) -> None:
    failures: list[Exception] = []
    for name, part in parts.items():
        try:
            count = part()
        except Exception as error:  # noqa: BLE001 - the other parts still run; all failures are raised below
            failures.append(error)
        else:
            if count:
                log.info("%s: %d", name, count)
    if failures:
        raise ExceptionGroup("parts of the schedule failed", failures)


SCHEDULES: dict[str, Callable[[], None]] = {"sweep": sweep, "refill": refill, "rotate": rotate}
