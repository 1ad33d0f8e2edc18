"""The jobs' part of the schedules."""

from apps.common.scheduling import Part, Schedule
from apps.jobs import services

SENT_WITHIN_SECONDS = (
    services.UNTAKEN_SECONDS
)  # long enough that the message itself, and its retries, come first

PARTS = [
    Part(Schedule.SWEEP, 100, "jobs sent again", lambda: services.send_lost(seconds=SENT_WITHIN_SECONDS)),
]
