"""The sessions' parts of the schedules."""

from apps.common.scheduling import Part, Schedule
from apps.sessions import stock, tasks

PARTS = [
    # One session now, and a job for what it leaves missing
    Part(Schedule.REFILL, 20, "quantum keys to come", stock.refill),
    Part(Schedule.REFILL, 30, "stock sessions queued", tasks.refill_later),
]
