"""What callers may do with reports."""

from apps.access.roles import Role, Scope


class ReportScope(Scope):
    """Reports."""

    READ = "reports:read", "List and read reports.", Role.AUDITOR
    MAKE = "reports:make", "Have reports made.", Role.AUDITOR
