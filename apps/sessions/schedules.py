"""The sessions' parts of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.sessions import stock, tasks

SENT_WITHIN_SECONDS = 300  # long enough that the message itself, and its retries, come first

PARTS = [
    Part(Schedule.SWEEP, 100, "batches sent again", lambda: tasks.send_unsent(seconds=SENT_WITHIN_SECONDS)),
    # One session now, and a job for what it leaves missing
    Part(Schedule.REFILL, 20, "quantum keys to come", lambda: stock.refill(actor=SWEEPER)),
    Part(Schedule.REFILL, 30, "stock sessions queued", tasks.refill_later),
]
