"""The metrics' part of the schedules."""

from apps.common.scheduling import Part, Schedule
from apps.metrics import measuring

PARTS = [Part(Schedule.SWEEP, 900, "gauges read", measuring.measure)]
