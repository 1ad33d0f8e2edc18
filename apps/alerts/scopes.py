"""What callers may do with alerts."""

from apps.access.roles import READERS, Role, Scope


class AlertScope(Scope):
    """Alerts."""

    READ = "alerts:read", "See alerts.", *READERS
    MANAGE = "alerts:manage", "Acknowledge alerts, and try whether they arrive.", Role.OPERATOR
