"""What callers may do with cases."""

from apps.access.roles import READERS, Role, Scope


class CaseScope(Scope):
    """Cases."""

    READ = "cases:read", "See cases, and which keys of their links were used.", *READERS
    MANAGE = "cases:manage", "Acknowledge, note and close cases.", Role.OPERATOR
