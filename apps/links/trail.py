"""What the trail records about links."""

from apps.audit.records import Event


class LinkEvent(Event):
    """Entries about one link."""

    MADE = "link.made", "A link was made known, over which sessions can be run."
