"""Long work on files whose keys end."""

from apps.jobs.kinds import JobKind


class CustodyJob(JobKind):
    """Jobs that move files to other keys."""

    REWRAP_FILES = (
        "rewrap_files",
        "Re-wraps the files of a pool key that was taken out of use.",
        "custody.rewrap_files",
        "files",
        "POST /api/v1/rotations/{id}/resume starts another job, which goes on with the rest.",
    )
    REENCRYPT_FILES = (
        "reencrypt_files",
        "Re-encrypts files whose keys may be compromised.",
        "custody.reencrypt_files",
        "files",
        "Ask for the re-encryption again: what is re-encrypted already is passed over.",
    )
