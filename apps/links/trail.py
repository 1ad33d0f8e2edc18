"""What the trail records about links."""

from apps.audit.records import Event


class LinkEvent(Event):
    """Entries about one link."""

    MADE = "link.made", "A link was made known, over which sessions can be run."
    CHANGED = "link.changed", "What is said of a link was changed: its users, its source, its thresholds."
    PAUSED = "link.paused", "A link runs no sessions until somebody resumes it."
    QUARANTINED = "link.quarantined", "A case took a link out of use until it is released."
    ACTIVATED = "link.activated", "A link was resumed or released; sessions are run over it again."
    RETIRED = "link.retired", "A link was taken out of use for good."
