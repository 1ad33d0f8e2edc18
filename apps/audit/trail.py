"""What the trail records about itself, and about refusals everywhere."""

from apps.audit.records import Event


class AuditEvent(Event):
    """Entries about access to the platform, and about the trail."""

    ACCESS_DENIED = "access.denied", "Somebody asked for what they may not do or see."
    VERIFIED = "audit.verified", "The chains were verified; the details say what was found."
