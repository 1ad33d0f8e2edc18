"""The client as a library."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qkdclient.api import Api
from qkdclient.downloads import Downloads
from qkdclient.errors import Interrupted
from qkdclient.progress import Progress, silent
from qkdclient.uploads import Uploads

WAIT_SECONDS = 0.5
ATTEMPTS = 5  # of a download whose connection breaks off

File = dict[str, Any]


class Client:
    """Uploads, lists, downloads and deletes files. Every method raises ``Problem`` if the platform refuses."""

    def __init__(self, url: str, api_key: str) -> None:
        self._api = Api(url, api_key)
        self._uploads, self._downloads = Uploads(self._api, url), Downloads(self._api)

    def files(self, *, document_type: str | None = None, limit: int | None = None) -> Iterator[File]:
        """List files, newest first; pages are fetched as they are needed."""
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
        """Get a file's metadata."""
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
        """Upload a file in parts; repeated after an interruption, it sends only what is missing.

        With ``local`` the file is encrypted here and the platform never sees its content. Such an upload starts from
        the beginning: continuing with changed content under the same key would break the encryption.

        Args:
            path: the file.
            name: the name it is listed under; by default the file's own.
            document_type: the type it is listed by.
            attributes: text, numbers and flags to store with it.
            passphrase: an additional factor of the key, needed again to download.
            local: encrypt here.
            progress: is called with the bytes done and the bytes in all.
            wait_seconds: how long to wait until the platform has encrypted the file.
        """
        path = Path(path)
        about: dict[str, Any] = {"name": name or path.name, "document_type": document_type}
        about |= {"attributes": dict(attributes)} if attributes else {}
        about |= {"passphrase": passphrase} if passphrase is not None else {}
        if local:
            return self._uploads.encrypt_and_send(path, about, passphrase, progress)
        return self._wait(self._uploads.send(path, about, progress), wait_seconds)

    def _wait(self, file: File, seconds: float) -> File:
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
        """Download a file to ``path`` (by default its own name, in this directory), and resume an interrupted download.

        The bytes are in ``<path>.<file>-<version>.part`` until the file is whole and checked. With ``local`` the
        ciphertext is downloaded and decrypted here.

        Raises:
            Damaged: the download is not the file that was uploaded (found with ``local`` only).
        """
        file = self.file(file_id)
        path = Path(path or _own_name(file))
        part = path.with_name(f"{path.name}.{file_id[:8]}-{file['version']}.part")
        asked = {"passphrase": passphrase} if passphrase is not None else {}
        fetch = self._downloads.fetch_and_decrypt if local else self._downloads.fetch
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
    """The last part of the file's name, so that a download never leaves this directory."""
    name = Path(file["name"].replace("\\", "/")).name
    return file["file_id"] if name in {"", ".", ".."} else name
