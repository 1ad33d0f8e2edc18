"""Long work on files whose keys end, and on what is wrapped under root keys."""

from apps.jobs.kinds import JobKind


class CustodyJob(JobKind):
    """Jobs that move files and secrets to other keys: what is revoked waits for nobody's batches (I11)."""

    @property
    def queue_setting(self) -> str:
        """Return the setting that names the queue of custody."""
        return "CUSTODY_QUEUE"

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
    ROTATE_ROOT = (
        "rotate_root_key",
        "Wraps every secret under the current root key; a local one is made first.",
        "custody.rotate_root",
        "secrets",
        "Retry it, or ask again: it goes on with what is still under an older root key.",
    )
    SEAL_SECRETS = (
        "seal_secrets",
        "Seals to the recovery key what is not sealed to it yet.",
        "custody.seal_secrets",
        "secrets",
        "Retry it, or ask again: it goes on with what is not sealed yet.",
    )
