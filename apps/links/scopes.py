"""What callers may do with links."""

from apps.access.roles import EVERYBODY, Role, Scope


class LinkScope(Scope):
    """Links between sites, and what is said of them."""

    READ = "links:read", "See the links that one may use, and what became of those that one owns.", *EVERYBODY
    MANAGE = (
        "links:manage",
        "Make and change links; pause, quarantine, release and retire them.",
        Role.OPERATOR,
    )
