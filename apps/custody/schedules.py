"""Custody's parts of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.custody import destruction, retirement

PARTS = [
    Part(Schedule.SWEEP, 120, "rotations started", lambda: retirement.start_waiting(actor=SWEEPER)),
    Part(Schedule.SWEEP, 130, "pool keys destroyed", lambda: destruction.destroy_due(actor=SWEEPER)),
    Part(Schedule.ROTATE, 10, "pool keys rotated", lambda: retirement.rotate_due(actor=SWEEPER)),
]
