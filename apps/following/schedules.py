"""What follows the trail, on a schedule: entries whose stream record was lost."""

from apps.common.scheduling import Part, Schedule
from apps.following import services

PARTS = [Part(Schedule.SWEEP, 800, "entries followed", services.catch_up)]
