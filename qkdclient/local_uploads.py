"""Uploads that are encrypted here: the platform gives the file's key, and gets the body."""

import hashlib
from collections.abc import Mapping
from typing import Any

from qkdclient.announcing import AWAITED, File, Lost, announce, complete, take_up
from qkdclient.api import Api
from qkdclient.file_keys import FileKey
from qkdclient.pace import Pace
from qkdclient.progress import Progress
from qkdclient.sending import PartSender, PartsSink
from qkdclient.sources import Source
from qkdclient.state import Stage, UploadState
from qkdclient.uploads import check
from qkdseal import encrypt_stream


class LocalUploads:
    """Encrypts and uploads one source after the other.

    One that was interrupted is encrypted and sent from the beginning, under the same id and the same key: a body's
    own random salt makes that safe, whatever the content. A salt is never kept, so no two contents share one.
    """

    def __init__(self, api: Api, pace: Pace) -> None:
        self._api, self._pace = api, pace

    def send(
        self,
        source: Source,
        about: Mapping[str, Any],
        passphrase: str | None,
        state: UploadState,
        progress: Progress,
    ) -> File:
        """Encrypt a source, upload its body, and have the platform acknowledge it.

        Raises:
            Changed: the source changed meanwhile; the upload was given up.
            Problem: the platform refused.
        """
        file = take_up(self._api, state)
        if file is not None and file["status"] not in AWAITED:
            return file
        try:
            return self._send(source, about, passphrase, state, progress)
        except Lost:
            if source.identity is None:
                raise
            source.rewind()
            state.begin()
            return self._send(source, about, passphrase, state, progress)

    def _send(
        self,
        source: Source,
        about: Mapping[str, Any],
        passphrase: str | None,
        state: UploadState,
        progress: Progress,
    ) -> File:
        if state.upload.stage is Stage.SENDING:
            self._encrypt(source, about, state, progress)
        upload = state.upload
        complete(self._api, upload)
        finish = {"sha256": upload.sha256} | ({} if passphrase is None else {"passphrase": passphrase})
        return dict(self._api.call("POST", f"local-files/{upload.file_id}/finish", finish))

    def _encrypt(
        self, source: Source, about: Mapping[str, Any], state: UploadState, progress: Progress
    ) -> None:
        made = announce(self._api, "local-files", {**about, "method": "multipart"}, state)
        key = FileKey.from_document(made["secret"])
        sender, sha256 = PartSender(self._api, state.upload.file_id, self._pace), hashlib.sha256()
        sink, read = PartsSink(sender.send, state.upload.part_bytes), 0

        def seen(piece: memoryview | bytes) -> None:
            nonlocal read
            sha256.update(piece)
            read += len(piece)
            progress(read, max(read, source.size or 0))

        body = encrypt_stream(source.stream, sink, key=key.key, context=key.context, seen=seen)
        sink.send_rest()
        progress(read, read)
        check(self._api, source, state, body.plaintext_size)
        state.sent(size=body.ciphertext_size, sha256=sha256.hexdigest())
