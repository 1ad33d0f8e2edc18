"""What the trail records about alerts."""

from apps.audit.records import Event


class AlertEvent(Event):
    """Entries about one alert."""

    RAISED = "alert.raised", "A condition was noticed that somebody has to know of."
    SENT = "alert.sent", "An alert was sent to who is told."
    ESCALATED = "alert.escalated", "An alert that nobody acknowledged was sent once more."
    ACKNOWLEDGED = "alert.acknowledged", "Somebody took on an alert."
    OVER = "alert.over", "A condition holds no more."


# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.alerts.services._count_again": "How often a condition was noticed again, at most once a minute: it decides nothing, and what was noticed has its own entry.",
}
