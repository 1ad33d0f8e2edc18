"""What callers may do whatever the record."""

from apps.access.roles import READERS, Scope


class AccessScope(Scope):
    """Whose records a caller sees."""

    OWNERS_ALL = "owners:all", "See the records of every owner, not only one's own.", *READERS
