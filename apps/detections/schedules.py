"""The detections' part of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.detections import services

JUDGED_WITHIN_SECONDS = 120  # long enough that the event itself, and its retries, come first

PARTS = [
    Part(
        Schedule.SWEEP,
        10,
        "sessions judged",
        lambda: services.judge_overdue(seconds=JUDGED_WITHIN_SECONDS, actor=SWEEPER),
    ),
]
