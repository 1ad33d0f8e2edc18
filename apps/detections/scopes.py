"""What callers may do with detections."""

from apps.access.roles import EVERYBODY, Scope


class DetectionScope(Scope):
    """Detections."""

    READ = "detections:read", "See detections and their verdicts.", *EVERYBODY
