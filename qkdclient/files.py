"""Files: uploaded and downloaded; what is told of them is in ``file_records``."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from qkdclient import announcing, sources, state
from qkdclient.announcing import File
from qkdclient.api import Api
from qkdclient.downloads import Downloads
from qkdclient.file_keys import KeyCache
from qkdclient.file_records import FileRecords
from qkdclient.local_uploads import LocalUploads
from qkdclient.locks import PRIVATE
from qkdclient.pace import Pace
from qkdclient.progress import Progress, silent
from qkdclient.targets import Target, target_of
from qkdclient.uploads import Uploads

WAIT_SECONDS = 60.0


def nothing(_file: File) -> None:
    """Do nothing with a file."""


@dataclass(frozen=True, slots=True)
class _Order:
    """How one upload is sent."""

    passphrase: str | None = field(repr=False)
    replaces: str | None
    progress: Progress
    local: bool


class Files(FileRecords):
    """Files of one server, for one API key. Every method raises ``Problem`` if the platform refuses."""

    def __init__(self, api: Api, api_key: str, pace: Pace, keys: KeyCache) -> None:
        super().__init__(api)
        self._api_key = api_key
        self._uploads, self._local_uploads = Uploads(api, pace), LocalUploads(api, pace)
        self._downloads = Downloads(api, pace, keys)

    def upload(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        source_path: str | None = None,
        document_type: str = "document",
        attributes: Mapping[str, Any] | None = None,
        expires_at: str | None = None,
        owner: str | None = None,
        passphrase: str | None = None,
        replaces: str | None = None,
        local: bool = False,
        progress: Progress = silent,
        wait_seconds: float = WAIT_SECONDS,
        acknowledged: Callable[[File], object] = nothing,
    ) -> File:
        """Upload a file; the same call again, after an interruption, continues the same upload.

        It is one upload, with one id, from its first request until the platform has acknowledged it: until then a
        repeated call sends only what is missing, or waits. A pipe (or ``-``, standard input) is read once, to its
        end. With ``local`` the file is encrypted here, and the platform never sees its content.

        Args:
            path: the file.
            name: the name it is listed under; by default the file's own.
            source_path: where it was, kept as data beside the name.
            document_type: the type it is listed by.
            attributes: text, numbers and flags to store with it.
            expires_at: when the platform deletes it, such as 2027-01-01T00:00:00Z; not with ``replaces``.
            owner: me (the default), or a group of yours (group:ID); with neither ``replaces`` nor ``local``.
            passphrase: an additional factor of the key, needed again to download.
            replaces: the id of the file of which this is the next version; not with ``local``.
            local: encrypt here.
            progress: is called with the bytes done and the bytes in all.
            wait_seconds: how long to wait until the platform has encrypted the file.
            acknowledged: is called with the file once the platform has answered for it, and before the upload is
                forgotten here: who is killed in between finds the same file again.

        Returns:
            The file; its status says whether it is encrypted, still awaited, or rejected.

        Raises:
            Unfit: it cannot be uploaded: a folder, a device, a name that is no text.
            Changed: it changed meanwhile; nothing of it was stored.
            Busy: another process uploads the same file in the same way.
            Damaged: what was stored is not what was read.
        """
        if replaces is not None and local:
            raise ValueError(
                "The next version of a file cannot be encrypted here. Upload it as a file of its own."
            )
        told = {
            "document_type": None if replaces else document_type,
            "expires_at": expires_at,
            "owner": owner,
            "source_path": source_path,
            "passphrase": passphrase,
        }
        order = _Order(passphrase, replaces, progress, local)
        with sources.opened(path, name=name) as source:
            about = {"name": source.name, "attributes": dict(attributes or {})}
            about |= {key: value for key, value in told.items() if value is not None}
            asked = about | {"local": local, "replaces": replaces}
            with state.claimed(source, server=self._api.server, api_key=self._api_key, asked=asked) as claim:
                file = self._send(source, about, claim, order)
                file = self._acknowledge(file, claim, order, wait_seconds)
                if file["status"] not in announcing.AWAITED:
                    acknowledged(file)
                    claim.forget()
                return file

    def _send(
        self, source: sources.Source, about: dict[str, Any], claim: state.UploadState, order: "_Order"
    ) -> File:
        """Send what is missing, in the way that was asked for."""
        try:
            if order.local:
                return self._local_uploads.send(source, about, order.passphrase, claim, order.progress)
            to = f"files/{order.replaces}/versions" if order.replaces else "files"
            return self._uploads.send(source, about, claim, order.progress, to=to)
        except BaseException:
            if source.identity is None:
                announcing.give_up(self._api, claim.upload)  # nobody can continue it
            raise

    def _acknowledge(
        self, file: File, claim: state.UploadState, order: "_Order", wait_seconds: float
    ) -> File:
        """Wait for the platform's word, and compare what it has with what was read."""
        file = announcing.wait(self._api, file, wait_seconds)
        if file["status"] in announcing.AWAITED:
            return file
        if order.replaces is None:
            announcing.compare(self._api, file, claim.upload, order.passphrase)
        elif file["status"] == "applied":
            file = self.get(order.replaces)
        return file

    def download(
        self,
        file_id: str,
        output: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        mode: int = PRIVATE,
        passphrase: str | None = None,
        local: bool = False,
        progress: Progress = silent,
    ) -> Path:
        """Download a file; the same call again, after an interruption, continues it.

        What has arrived is in a hidden ``.qkd-….part`` beside the target until it is whole, and its SHA-256, as it
        lies on the disk, is the file's. With ``local`` the ciphertext is downloaded and decrypted here.

        Args:
            file_id: the file, or a version of one.
            output: the path of the file, or a folder; by default the file's own name in this folder.
            overwrite: overwrite a file that has the file's own name; one that ``output`` names is overwritten.
            mode: the permissions of the new file.
            passphrase: where one is part of the key.
            local: decrypt here.
            progress: is called with the bytes done and the bytes in all.

        Raises:
            Exists: there is a file of that name.
            Busy: another process downloads it to the same place.
            Damaged: what came is not what was stored; no file is left.
        """
        file = self.get(file_id)
        target = target_of(file["name"], file_id, output, overwrite=overwrite, mode=mode)
        if target.is_stream:
            with target.path.open("wb") as out:
                self._downloads.to_stream(file, out, passphrase, progress, local=local)
        else:
            self.fetch(file, target, passphrase=passphrase, local=local, progress=progress)
        return target.path

    def fetch(
        self,
        file: File,
        target: Target,
        *,
        passphrase: str | None = None,
        local: bool = False,
        progress: Progress = silent,
    ) -> None:
        """Download a file, as it was listed, to a target; errors as ``download``."""
        self._downloads.to_file(file, target, passphrase, progress, local=local)

    def write_to(
        self,
        file_id: str,
        out: BinaryIO,
        *,
        passphrase: str | None = None,
        local: bool = False,
        progress: Progress = silent,
    ) -> File:
        """Write a file's content to a stream as it comes, and return its metadata.

        Raises:
            Damaged: what was written is not what was stored, and has to be discarded.
        """
        file = self.get(file_id)
        self._downloads.to_stream(file, out, passphrase, progress, local=local)
        return file
