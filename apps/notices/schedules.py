"""The notices' part of the schedules."""

from apps.common.scheduling import Part, Schedule
from apps.notices import services

PARTS = [Part(Schedule.SWEEP, 830, "webhooks told", services.deliver_due)]
