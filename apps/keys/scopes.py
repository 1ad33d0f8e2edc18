"""What callers may do with pool keys."""

from apps.access.roles import EVERYBODY, READERS, Role, Scope


class KeyScope(Scope):
    """Pool keys, and what is in custody."""

    READ = "keys:read", "See pool keys, rotations and approvals; never a secret.", *READERS
    MANAGE = (
        "keys:manage",
        "Rotate, suspend, revoke and import pool keys; ask for what needs two persons.",
        Role.OPERATOR,
    )
    NAMED = "keys:named", "See the named keys that one may use or manage.", *EVERYBODY
    APPROVE = "keys:approve", "Approve or refuse what another person asked for.", Role.OPERATOR
