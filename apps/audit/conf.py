"""Settings of the audit trail."""

from apps.common.environment import Section

section = Section("Audit trail")

AUDIT_KEY = section.text(
    "AUDIT_KEY", secret=True, about="The key of the hashes that chain the entries, and of the heads' seals."
)
AUDIT_CHAINS = section.integer(
    "AUDIT_CHAINS",
    16,
    low=1,
    high=256,
    about="How many chains take entries side by side. May grow, never shrink.",
)
