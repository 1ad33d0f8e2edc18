"""What the trail records about itself, and about refusals everywhere."""

from apps.audit.records import Event


class AuditEvent(Event):
    """Entries about access to the platform, and about the trail."""

    ACCESS_DENIED = "access.denied", "Somebody asked for what they may not do or see."
    VERIFIED = "audit.verified", "The chains were verified; the details say what was found."
    CHECKPOINTED = "audit.checkpointed", "The ends of all chains are signed and kept outside of the tables."
    SIGNER_MADE = "audit.signer_made", "A key that signs checkpoints was made, or is used for the first time."
    EXPORTED = (
        "list.exported",
        "A list of the console is exported to a file; the details say which, by which filters.",
    )
    ARCHIVED = "audit.archived", "Old entries were moved to the archive, which a signed checkpoint covers."


# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.audit.progress.Progress._put": "How far a verification is: a temporary copy that decides nothing but where it goes on; its result has an entry.",
    "apps.audit.progress.Progress.forget": "Removes that temporary copy.",
}
