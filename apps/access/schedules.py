"""Access's part of the schedules."""

from apps.access import expiring
from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule

PARTS = [Part(Schedule.ROTATE, 510, "API keys that end soon", lambda: expiring.tell(actor=SWEEPER))]
