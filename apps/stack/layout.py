"""The folder ``.local``: who may use it, which version made it, and the secrets kept in it."""

import fcntl
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import IO

VERSION = "4"  # of the layout; raised when what an older one left cannot be used
SECRETS = ("DJANGO_SECRET_KEY", "API_KEY_PEPPER", "AUDIT_KEY", "RECORD_KEY", "METADATA_KEY")
SECRET_BYTES = 48
START_BYTES = 64 * 2**20  # free on the disk, or the embedded AWS would soon refuse every change
SECRETS_FILE, ROOT_KEY, DATABASE = "secrets.json", "root.key", "console.sqlite3"
LINK_MADE = "link-made"  # of a site of two_sites, which has its end of their link
SHARED = ("link.secret", "certificates")  # of two_sites, beside both folders
RESTORED = (
    "restored.json"  # tells the next start to take no quantum key that may have been used since a backup
)


class Unusable(Exception):
    """The folder cannot be used; the message says why and what to do."""


def make(folder: Path) -> None:
    """Make the folder, for its owner only.

    Raises:
        Unusable: something else has its name, it cannot be made, or the disk is full.
    """
    above = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(above).free
    if free < START_BYTES:
        raise Unusable(
            f"The disk is full: {free // 2**20} MiB are left for {folder}, and {START_BYTES // 2**20} MiB are needed. "
            "Free some space, or set LOCAL_DIR to a folder on another disk. Nothing was changed."
        )
    try:
        (folder / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise Unusable(
            f"{folder} cannot be used: {error.strerror}. Set LOCAL_DIR to another place."
        ) from None


def check_version(folder: Path) -> None:
    """Mark a new folder with our version; refuse one of another. The lock must be held.

    Raises:
        Unusable: the folder was made by another version.
    """
    mark = folder / "version"
    if not mark.exists():
        if any(path.name not in {"logs", "lock"} and path.suffix != ".tmp" for path in folder.iterdir()):
            raise Unusable(f"{folder} holds data of an unknown version. {_advice(folder)}")
        write_private(mark, VERSION + "\n")
    found = mark.read_text().strip()
    if found != VERSION:
        raise Unusable(
            f"{folder} belongs to version {found!r} of its layout, this is {VERSION!r}. {_advice(folder)}"
        )


def _advice(folder: Path) -> str:
    return (
        f"Keep it for the version that made it and start with another folder (LOCAL_DIR=... make run), "
        f"or move it away to begin again: mv {str(folder)!r} {str(folder) + '.old'!r}"
    )


def lock(folder: Path) -> IO[str]:
    """Hold the folder for this process; released when the process ends, however it ends.

    Raises:
        Unusable: another process holds it.
    """
    file = (folder / "lock").open("a+", encoding="ascii")
    os.set_inheritable(file.fileno(), False)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise Unusable(
            f"Another `make run` (process {holder}) uses {folder}. Stop it, or give this one its own: "
            f"LOCAL_DIR=/some/folder PORT=8001 AWS_PORT=4567 make run"
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def own_secrets(folder: Path) -> dict[str, str]:
    """The secrets of this installation, made on the first run.

    Raises:
        Unusable: the file is damaged; new secrets would lock out what the old ones sealed.
    """
    path = folder / SECRETS_FILE
    if not path.exists():
        write_private(
            path, json.dumps({name: secrets.token_urlsafe(SECRET_BYTES) for name in SECRETS}, indent=2)
        )
    try:
        found = {name: str(json.loads(path.read_text())[name]) for name in SECRETS}
    except (ValueError, KeyError, TypeError):
        raise Unusable(f"{path} is damaged. Restore it from a backup. {_advice(folder)}") from None
    path.chmod(0o600)
    return found


def check_keys(folder: Path, *, root_key_lost: bool = False) -> None:
    """Refuse to make new keys over data that the old ones wrapped.

    Args:
        folder: of the platform.
        root_key_lost: a new root key is made all the same; what the lost one wrapped opens after its recovery.

    Raises:
        Unusable: there is data, but a key file is missing.
    """
    if not (folder / DATABASE).exists():  # the keys are made before it
        return
    for name in (ROOT_KEY, SECRETS_FILE):
        if (folder / name).exists() or (name == ROOT_KEY and root_key_lost):
            continue
        recovery = "with a recovery key: ROOT_KEY_LOST=1 make run, then docs/custody.md. "
        raise Unusable(
            f"{folder / name} is missing, and the data in {folder} cannot be read without it. "
            f"Restore it from a backup{', or start ' + recovery if name == ROOT_KEY else '. '}{_advice(folder)}"
        )


def write_private(path: Path, text: str) -> None:
    """Put a file in place whole, or not at all; only its owner may read it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
