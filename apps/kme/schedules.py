"""Key delivery's part of the schedules."""

from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule
from apps.kme import collecting, expiring, receiving
from apps.kme.sites import agreeing

PARTS = [
    Part(Schedule.SWEEP, 140, "delivered keys that nobody collected", collecting.expire),
    Part(Schedule.REFILL, 45, "sessions of links to other sites", agreeing.agree_all),
    Part(Schedule.REFILL, 50, "keys received from other entities", receiving.receive_all),
    Part(
        Schedule.ROTATE,
        520,
        "certificates of KME_CLIENTS that end soon",
        lambda: expiring.tell_own(actor=SWEEPER),
    ),
]
