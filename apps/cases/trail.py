"""What the trail records about cases."""

from apps.audit.records import Event


class CaseEvent(Event):
    """Entries about one case."""

    OPENED = "case.opened", "A verdict that was not clean opened a case."
    ACKNOWLEDGED = "case.acknowledged", "Somebody took on a case."
    NOTED = "case.noted", "Somebody wrote a note on a case."
    CLOSED = "case.closed", "Somebody closed a case, and said how it ended."
