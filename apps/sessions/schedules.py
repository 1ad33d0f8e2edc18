"""The sessions' parts of the schedules."""

from apps.common.scheduling import Part, Schedule
from apps.sessions import refilling, stock, supply

PARTS = [
    # One session now, and a job for what it leaves missing
    Part(Schedule.REFILL, 20, stock.REFILLED, stock.refill),
    Part(Schedule.REFILL, 30, "stock sessions queued", refilling.refill_later),
    Part(Schedule.REFILL, 40, "sessions queued over links", supply.supply_all),
]
