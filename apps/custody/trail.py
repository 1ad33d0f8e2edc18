"""What the trail records about root keys, recovery and approvals."""

from apps.audit.records import Event


class RootKeyEvent(Event):
    """Entries about root keys."""

    MADE = "root_key.made", "A root key was made."
    RETIRED = "root_key.retired", "No secret is wrapped under a root key any more."


class RecoveryEvent(Event):
    """Entries about the recovery key."""

    KEY_MADE = "recovery_key.made", "A recovery key was made, and its shares handed out."
    CHECKED = "recovery.checked", "Shares of the recovery key were checked."
    USED = "recovery.used", "Secrets were brought back with the recovery key."


class ApprovalEvent(Event):
    """Entries about what needs two persons."""

    REQUESTED = "approval.requested", "Somebody asked for what a second person must approve."
    GIVEN = "approval.given", "A second person approved it."
    REFUSED = "approval.refused", "A second person refused it."
    WITHDRAWN = "approval.withdrawn", "It was withdrawn by who asked for it, or by who had approved it."
    USED = "approval.used", "What was approved was done."
