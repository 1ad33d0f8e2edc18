"""Long work on sessions."""

from apps.jobs.kinds import JobKind


class SessionJob(JobKind):
    """Jobs that run sessions."""

    @property
    def names(self) -> str:
        """Return by what name a job shows the ids of its sessions."""
        return "session_ids"

    GENERATE = (
        "generate_sessions",
        "Runs sessions of one request, each recorded before the next.",
        "sessions.generate_batch",
        "sessions",
        "Ask for the missing sessions by a new batch; those made are kept.",
    )
