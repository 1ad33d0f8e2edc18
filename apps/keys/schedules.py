"""The pool keys' parts of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.keys import services, slots

PARTS = [
    Part(Schedule.REFILL, 5, "groups of pool keys counted", lambda: slots.write_down(actor=SWEEPER)),
    Part(Schedule.REFILL, 10, services.REFILLED, lambda: services.refill(actor=SWEEPER)),
]
