"""What callers may do with the audit trail."""

from apps.access.roles import Role, Scope


class AuditScope(Scope):
    """The audit trail."""

    READ = "audit:read", "See the audit trail.", Role.AUDITOR
    VERIFY = "audit:verify", "Have the audit trail verified.", Role.AUDITOR
