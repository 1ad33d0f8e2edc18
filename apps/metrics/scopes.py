"""What callers may do with metrics."""

from apps.access.roles import READERS, Scope


class MetricsScope(Scope):
    """Metrics."""

    READ = "metrics:read", "See the platform's metrics.", *READERS
