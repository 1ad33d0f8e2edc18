"""Long work on files."""

from apps.jobs.kinds import JobKind


class FileJob(JobKind):
    """Jobs that encrypt uploads."""

    ENCRYPT_UPLOAD = (
        "encrypt_upload",
        "Encrypts an upload over EVENT_UPLOAD_BYTES.",
        "files.encrypt_upload",
        "MiB",
        "The sweep sends a failed one again. After a cancellation, upload the content again.",
    )
