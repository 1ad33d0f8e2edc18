"""The trail's parts of the schedules."""

from apps.audit import checkpointing, tasks
from apps.audit.records import SWEEPER
from apps.common.scheduling import Part, Schedule


def _checkpoint() -> int:
    return int(checkpointing.make(actor=SWEEPER).is_new)


PARTS = [
    Part(Schedule.SWEEP, 200, "checkpoints of the audit trail", _checkpoint),
    Part(Schedule.ROTATE, 100, "verifications of the audit trail", lambda: tasks.verify_daily(actor=SWEEPER)),
    Part(Schedule.ROTATE, 101, "archivings of the audit trail", lambda: tasks.archive_daily(actor=SWEEPER)),
]
