"""Files of the platform, as a library."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qkdclient.api import Api, Interrupted
from qkdclient.downloads import Downloads
from qkdclient.progress import Progress, silent
from qkdclient.uploads import Uploads

WAIT_SECONDS = 0.5
ATTEMPTS = 5  # of a download whose connection breaks off

File = dict[str, Any]


class Client:
    """Uploads, lists, downloads and deletes. Every method raises ``Problem`` where the platform refuses."""

    def __init__(self, url: str, api_key: str) -> None:
        self._api = Api(url, api_key)
        self._uploads, self._downloads = Uploads(self._api, url), Downloads(self._api)

    def files(self, *, document_type: str | None = None, limit: int | None = None) -> Iterator[File]:
        """Files, newest first; pages are fetched as they are needed."""
        cursor, left = None, limit
        while left is None or left > 0:
            size = 100 if left is None else min(left, 100)
            page = self._api.call("GET", "files", document_type=document_type, limit=size, cursor=cursor)
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            cursor = page["next"]
            if cursor is None:
                return

    def file(self, file_id: str) -> File:
        """A file's metadata."""
        found: File = self._api.call("GET", f"files/{file_id}")
        return found

    def delete(self, file_id: str) -> File:
        """Delete a file; the platform can restore it."""
        deleted: File = self._api.call("DELETE", f"files/{file_id}")
        return deleted

    def upload(
        self,
        path: str | Path,
        *,
        name: str | None = None,
        document_type: str = "document",
        attributes: Mapping[str, Any] | None = None,
        passphrase: str | None = None,
        local: bool = False,
        progress: Progress = silent,
        wait_seconds: float = 0.0,
    ) -> File:
        """Upload a file, in parts; done again after an interruption it sends only what is missing.

        With ``local`` the file is encrypted here and the platform never sees it; such an upload begins anew, since
        going on with another content under the same key would break the encryption.

        Args:
            path: of the file.
            name: under which it is listed; the file's own if left out.
            document_type: what it is listed by.
            attributes: text, numbers and flags.
            passphrase: part of the key; needed again to download.
            local: encrypt here.
            progress: is told bytes done and in all.
            wait_seconds: how long to wait until the platform has encrypted it.
        """
        path = Path(path)
        about: dict[str, Any] = {"name": name or path.name, "document_type": document_type}
        about |= {"attributes": dict(attributes)} if attributes else {}
        about |= {"passphrase": passphrase} if passphrase is not None else {}
        if local:
            return self._uploads.sealed(path, about, passphrase, progress)
        return self._waited(self._uploads.plain(path, about, progress), wait_seconds)

    def _waited(self, file: File, seconds: float) -> File:
        deadline = time.monotonic() + seconds
        while file["status"] == "awaiting_upload" and time.monotonic() < deadline:
            time.sleep(WAIT_SECONDS)
            file = self.file(file["file_id"])
        return file

    def download(
        self,
        file_id: str,
        path: str | Path | None = None,
        *,
        passphrase: str | None = None,
        local: bool = False,
        progress: Progress = silent,
    ) -> Path:
        """Download a file to ``path`` (its own name here if left out); an interrupted one goes on where it stopped.

        The bytes are in ``<path>.<version>.part`` until the file is whole and checked. With ``local`` the ciphertext
        is downloaded and decrypted here.

        Raises:
            Damaged: what came is not the whole file; only with ``local`` it may also have been changed on the way.
        """
        file = self.file(file_id)
        path = Path(path or _own_name(file))
        part = path.with_name(f"{path.name}.{file_id[:8]}-{file['version']}.part")
        asked = {"passphrase": passphrase} if passphrase is not None else {}
        fetch = self._downloads.sealed if local else self._downloads.plain
        for attempt in range(1, ATTEMPTS + 1):
            try:
                fetch(file, part, asked, progress)
                break
            except Interrupted:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(WAIT_SECONDS * attempt)
        part.replace(path)
        return path


def _own_name(file: File) -> str:
    """The file's name as one in this directory, whatever it says."""
    name = Path(file["name"].replace("\\", "/")).name
    return file["file_id"] if name in {"", ".", ".."} else name
