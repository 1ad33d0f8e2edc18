"""What callers may do whatever the record."""

from apps.access.roles import EVERYBODY, READERS, Role, Scope


class AccessScope(Scope):
    """Whose records a caller sees."""

    SELF = "access:self", "See who one is, and what one may do; every credential may.", *EVERYBODY
    READ = "access:read", "See principals, their API keys and grants; never a secret.", Role.AUDITOR
    MANAGE = (
        "access:manage",
        "Make and change services and groups, change persons, issue and revoke API keys; nobody gives what they do not hold.",
    )
    GRANT = "access:grant", "Let others read or write one's own files.", Role.CLIENT
    OWNERS_ALL = "owners:all", "See the records of every owner, not only one's own.", *READERS
