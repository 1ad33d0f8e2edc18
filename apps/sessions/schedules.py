"""The sessions' parts of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.sessions import stock, tasks

PARTS = [
    # One session now, and a job for what it leaves missing
    Part(Schedule.REFILL, 20, "quantum keys to come", lambda: stock.refill(actor=SWEEPER)),
    Part(Schedule.REFILL, 30, "stock sessions queued", tasks.refill_later),
]
