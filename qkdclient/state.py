"""What one upload is, from its first request until the platform has acknowledged it: a small file for each."""

import hashlib
import hmac
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from qkdclient.errors import Unfit
from qkdclient.locks import PRIVATE, locked
from qkdclient.names import home, shown
from qkdclient.sources import Source

KEPT_SECONDS = 7 * 86_400  # the platform has given up an upload long before


class Stage(StrEnum):
    """How far an upload is."""

    SENDING = "sending"  # it may be announced, and some of its parts may have arrived
    SENT = "sent"  # all has arrived; from here on the content is not read again
    FINISHED = "finished"  # nothing is left to keep


@dataclass
class Upload:
    """One logical upload. It keeps its id whatever happens between."""

    key: str  # it is announced under this one, always
    identity: dict[str, int] | None
    file_id: str = ""  # by which the platform knows it, once it has answered
    stage: Stage = Stage.SENDING
    part_bytes: int = 0  # as the platform has answered; 0 until it has
    size: int = 0
    sha256: str = ""
    hashes: dict[str, str] = field(default_factory=dict)  # of all up to each part that has arrived, by number


class UploadState:
    """The upload that belongs to what was asked, kept on the disk unless its source can be read only once."""

    def __init__(self, file: Path | None, source: Source) -> None:
        self._file = file
        self._identity = None if source.identity is None else source.identity.as_dict()
        self.upload = self._new()
        self.earlier = self._load()

    def _new(self) -> Upload:
        return Upload(key=str(uuid.uuid4()), identity=self._identity)

    def _load(self) -> Upload | None:
        """The upload that was kept; one of a kind that this version does not know is none."""
        try:
            kept = json.loads(self._file.read_text()) if self._file else None
            return Upload(**kept | {"stage": Stage(kept["stage"])}) if kept else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def continues(self) -> bool:
        """Return whether there is an earlier upload of the same file, unchanged; if so, take it up."""
        if self.earlier is None or self.earlier.identity != self._identity:
            return False
        self.upload, self.earlier = self.earlier, None
        return True

    def begin(self) -> Upload:
        """Begin a new upload, kept before anybody hears of its id."""
        self.upload, self.earlier = self._new(), None
        self.save()
        return self.upload

    def announced(self, file_id: str, *, part_bytes: int) -> None:
        """Keep how the platform answered."""
        self.upload.file_id, self.upload.part_bytes = file_id, part_bytes
        self.save()

    def has_sent(self, number: int, sha256: str) -> bool:
        """Return whether a part was sent, with this content up to its end."""
        return self.upload.hashes.get(str(number)) == sha256

    def arrived(self, number: int, sha256: str) -> None:
        """Keep that a part has arrived, and the hash of all up to its end."""
        self.upload.hashes[str(number)] = sha256
        self.save()

    def sent(self, *, size: int, sha256: str) -> None:
        """Keep that all has arrived: so many bytes, and the SHA-256 of the plaintext."""
        self.upload.stage, self.upload.size, self.upload.sha256 = Stage.SENT, size, sha256
        self.save()

    def save(self) -> None:
        """Keep the upload as it is; a crash leaves the old or the new state, never half of one."""
        if self._file is None:
            return
        new = self._file.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
        with os.fdopen(descriptor, "w") as out:
            json.dump(asdict(self.upload), out)
            out.flush()
            os.fsync(out.fileno())
        new.replace(self._file)

    def forget(self) -> None:
        """Remove what was kept. Idempotent."""
        self.upload.stage = Stage.FINISHED
        if self._file is not None:
            self._file.unlink(missing_ok=True)


@contextmanager
def claimed(source: Source, *, server: str, api_key: str, asked: Mapping[str, Any]) -> Iterator[UploadState]:
    """Claim the upload of a source, for this process alone.

    Args:
        source: what is uploaded.
        server: where to.
        api_key: who uploads.
        asked: everything else that makes it this upload: name, type, attributes, passphrase, mode.

    Raises:
        Busy: another process uploads the same, as the same.
        Unfit: there is no place to keep the state in.
    """
    if source.identity is None or source.path is None:
        yield UploadState(None, source)
        return
    folder = state_folder("uploads")
    _remove_old(folder)
    place = str(source.path.resolve())
    # Keyed by the API key: what is asked holds the passphrase, which a plain digest would let be guessed
    about = json.dumps([server, place, source.identity.device, asked], sort_keys=True)
    name = hmac.new(api_key.encode(), about.encode(), hashlib.sha256).hexdigest()
    busy = f"{source.place} is being uploaded by another process. Wait for it."
    lock = folder / f"{name}.lock"
    with locked(lock, busy=busy):
        state = UploadState(folder / f"{name}.json", source)
        yield state
        if state.upload.stage is Stage.FINISHED:
            lock.unlink(missing_ok=True)


def state_folder(part: str) -> Path:
    """Where the client keeps what it must remember of uploads, or of folders; made if it is not there.

    Raises:
        Unfit: it cannot be made.
    """
    folder = Path(os.environ.get("XDG_STATE_HOME") or home() / ".local" / "state") / "qkdclient" / part
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unfit(
            f"{shown(folder)} cannot be made ({error.strerror}); what was interrupted is remembered there. "
            "Set XDG_STATE_HOME to a folder that you can write to."
        ) from error
    return folder


def _remove_old(folder: Path) -> None:
    before = time.time() - KEPT_SECONDS
    for file in folder.glob("*.json"):
        try:
            if file.stat().st_mtime < before:
                file.unlink()
        except FileNotFoundError:  # another process was faster
            continue
