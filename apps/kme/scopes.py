"""What callers may do with the applications that keys are delivered to."""

from apps.access.roles import READERS, Role, Scope


class SaeScope(Scope):
    """Applications of ETSI GS QKD 014."""

    READ = "saes:read", "See the applications that keys are delivered to; never a key.", *READERS
    MANAGE = (
        "saes:manage",
        "Register, change and revoke applications that keys are delivered to.",
        Role.OPERATOR,
    )
