"""The reports' part of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.reports import services

PARTS = [Part(Schedule.ROTATE, 500, "monthly reports asked for", lambda: services.ask_monthly(actor=SWEEPER))]
