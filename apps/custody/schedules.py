"""Custody's parts of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.schedules import Part, Schedule
from apps.custody import destruction, tasks

SENT_WITHIN_SECONDS = 300  # long enough that the message itself, and its retries, come first

PARTS = [
    Part(Schedule.SWEEP, 120, "rotations resumed", lambda: tasks.continue_rotations(actor=SWEEPER)),
    Part(Schedule.SWEEP, 130, "pool keys destroyed", lambda: destruction.destroy_due(actor=SWEEPER)),
    Part(
        Schedule.SWEEP, 140, "re-wrappings sent again", lambda: tasks.send_unsent(seconds=SENT_WITHIN_SECONDS)
    ),
]
