"""The pool keys' parts of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.keys import services

PARTS = [
    Part(Schedule.REFILL, 10, "pool keys made", lambda: services.refill(actor=SWEEPER)),
]
