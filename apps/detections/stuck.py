"""What may be stuck of the sessions' verdicts."""

from apps.common.standstill import Stuck, of
from apps.sessions import services as sessions

LATE_SECONDS = 900  # the sweep judges what has waited for two minutes


def _pending() -> list[Stuck]:
    return of(
        "sessions that wait for their verdict",
        ((session.session_id, session.timestamp) for session in sessions.overdue(LATE_SECONDS)),
        action="Look whether the stream is relayed, and into the log for 'sessions judged'.",
    )


CHECKS = [_pending]
