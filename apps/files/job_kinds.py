"""Long work on files."""

from apps.jobs.kinds import JobKind


class FileJob(JobKind):
    """Jobs that encrypt or decrypt large files, and that check bodies."""

    ENCRYPT_UPLOAD = (
        "encrypt_upload",
        "Encrypts an upload over EVENT_UPLOAD_BYTES.",
        "files.encrypt_upload",
        "MiB",
        "The sweep sends a failed one again. After a cancellation, upload the content again.",
    )
    DECRYPT_DOWNLOAD = (
        "decrypt_download",
        "Decrypts a file over DOWNLOAD_AT_ONCE_BYTES to a copy that is downloaded by its URL.",
        "files.decrypt_download",
        "MiB",
        "POST /api/v1/files/{id}/download starts another.",
    )
    CHECK_BODY = (
        "check_body",
        "Reads a body that its client encrypted to its end, and computes its digest.",
        "files.check_body",
        "MiB",
        "The day's comparison of bodies starts a failed one again. One that was cancelled stays so: the digest is the client's.",
    )
    RECONCILE_BODIES = (
        "reconcile_bodies",
        "Holds the bucket of bodies against the records, both ways: once a day.",
        "files.reconcile_bodies",
        "bodies removed or missing",
        "The next day's finds the same.",
    )
