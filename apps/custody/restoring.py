"""After tables were set back to a backup: nothing that may have been used since is used a second time."""

from apps.audit.records import Actor
from apps.detections import services as detections
from apps.kme import collecting
from apps.sessions import services as sessions
from apps.sessions import withdrawal


def set_keys_aside(*, actor: Actor) -> int:
    """Take every quantum key of the backup out of use, and return how many; the stock is refilled by new sessions (I3).

    Idempotent. Sessions that waited for their verdict are judged first, so that their keys are among them. What was taken
    before the backup goes on opening what it encrypted; but what waits for an application to collect it waits no more.

    Raises:
        ExceptionGroup: of some that failed, once the keys of all others are out of use.
    """
    waiting = [one.session_id for one in sessions.overdue(0)]
    try:
        collecting.end_waiting()
    finally:  # one that cannot be ended or judged keeps no other's keys in use
        try:
            detections.judge_overdue(seconds=0, actor=actor)
        finally:
            aside = withdrawal.withdraw_all(judged=waiting)
    return aside
