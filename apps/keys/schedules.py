"""The pool keys' parts of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.schedules import Part, Schedule
from apps.keys import services

PARTS = [
    Part(Schedule.REFILL, 10, "pool keys made", lambda: services.refill(actor=SWEEPER)),
    Part(Schedule.ROTATE, 10, "pool keys queued for rotation", lambda: services.rotate_due(actor=SWEEPER)),
]
