"""What callers may do with sessions."""

from apps.access.roles import EVERYBODY, Role, Scope


class SessionScope(Scope):
    """Sessions, batches of them, and the stock."""

    READ = "sessions:read", "See sessions, their quantum keys' ids, and the stock.", *EVERYBODY
    GENERATE = "sessions:generate", "Run sessions.", Role.CLIENT, Role.OPERATOR
    REVOKE = "sessions:revoke", "Take a session's key out of use.", Role.OPERATOR
