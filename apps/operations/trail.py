"""What the trail records about the platform's own running."""

from apps.audit.records import Event


class OperationEvent(Event):
    """Entries about dead letters and schedules."""

    LETTER_DROPPED = (
        "letter.dropped",
        "A dead letter was given up: nobody tries it again. The details have its digest.",
    )
    LETTER_REDRIVEN = "letter.redriven", "A dead letter was tried again, and is gone unless it failed again."
    SCHEDULE_RUN = "schedule.run", "Somebody had a schedule run at once."
