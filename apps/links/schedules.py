"""The links' part of the schedules."""

from apps.common.scheduling import Part, Schedule
from apps.links import services

PARTS = [
    # Before the stock, whose sessions are run over one of them
    Part(Schedule.REFILL, 15, "built-in links", services.ensure_all_built_in),
]
