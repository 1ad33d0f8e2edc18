"""Long work on the trail."""

from apps.jobs.kinds import JobKind


class AuditJob(JobKind):
    """Jobs that verify the trail, and archive its old entries."""

    VERIFY = (
        "verify_audit",
        "Verifies the audit trail, and on demand every record against it.",
        "audit.verify",
        "entries",
        "POST /api/v1/audit/verifications starts another; the schedule does every day.",
    )
    ARCHIVE = (
        "archive_audit",
        "Moves old entries of the audit trail to the archive, which a signed checkpoint covers.",
        "audit.archive",
        "entries",
        "The schedule starts another every day, which goes on with what is left.",
    )
