"""What callers may do with jobs."""

from apps.access.roles import EVERYBODY, Role, Scope


class JobScope(Scope):
    """Jobs."""

    READ = "jobs:read", "See jobs and their progress.", *EVERYBODY
    CANCEL = "jobs:cancel", "Cancel jobs.", Role.CLIENT, Role.OPERATOR
