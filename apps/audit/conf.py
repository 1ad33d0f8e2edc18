"""Settings of the audit trail."""

from apps.common.environment import Section

section = Section("Audit trail")

AUDIT_KEY = section.text(
    "AUDIT_KEY", secret=True, about="The key of the hashes that chain the entries, and of the heads' seals."
)
AUDIT_KEY_PREVIOUS = section.words(
    "AUDIT_KEY_PREVIOUS",
    about="Keys whose entries still verify. Each stays for as long as there are entries under it.",
)
AUDIT_CHAINS = section.integer(
    "AUDIT_CHAINS",
    16,
    low=1,
    high=256,
    about="How many chains take entries side by side. All that have entries are verified, whatever it is. As many as processes: 64 at staging, 256 in production.",
)
CHECKPOINTS_BUCKET = section.text(
    "CHECKPOINTS_BUCKET",
    "qkd-{stage}-checkpoints",
    about="The bucket of the trail's checkpoints: versioned, with object lock enabled.",
)
CHECKPOINT_LOCK_MODE = section.text(
    "CHECKPOINT_LOCK_MODE",
    "COMPLIANCE",
    local="GOVERNANCE",
    about="How object lock keeps a checkpoint: COMPLIANCE lets nobody remove it, GOVERNANCE who has a right of its own.",
)
CHECKPOINT_LOCK_DAYS = section.integer(
    "CHECKPOINT_LOCK_DAYS",
    400,
    low=1,
    high=36_500,
    about="Days that a checkpoint, or an archived block of entries, cannot be removed.",
)
CHECKPOINT_KMS_KEY = section.text(
    "CHECKPOINT_KMS_KEY",
    "",
    about="A KMS key (id, ARN or alias) of the spec ML_DSA_65 that signs checkpoints; empty: a key that the root key wraps.",
)
CHECKPOINT_SIGNERS = section.words(
    "CHECKPOINT_SIGNERS",
    about="Ids of the signing keys that count; empty: those that the platform's table holds. `manage.py checkpoint` prints them.",
)
AUDIT_ARCHIVE_DAYS = section.integer(
    "AUDIT_ARCHIVE_DAYS",
    0,
    high=36_500,
    about="Days after which entries move from the table to the bucket of checkpoints, by blocks of 1,000 of a chain; 0: never. At least 30.",
)
