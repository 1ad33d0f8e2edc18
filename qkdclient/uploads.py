"""Uploads: in parts that can be resumed, or encrypted by the client."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qkdclient.api import Api
from qkdclient.errors import Problem
from qkdclient.file_keys import FileKey
from qkdclient.progress import Progress
from qkdclient.state import UploadState
from qkdseal import encrypt_stream

File = dict[str, Any]


class Uploads:
    """Uploads a file; ``about`` is what the platform is told of it."""

    def __init__(self, api: Api, server: str) -> None:
        self._api, self._server = api, server

    def send(self, path: Path, about: dict[str, Any], progress: Progress) -> File:
        """Upload a file; where an earlier upload was interrupted, only the parts that are missing."""
        size = path.stat().st_size
        if not size:
            target = self._api.call("POST", "files", about)
            self._api.put(target["upload_url"], b"")
            progress(0, 0)
            return dict(target["file"])
        state = UploadState(self._server, path)
        upload, there = self._resume_or_announce(state, about)
        file_id, part = upload["file_id"], upload["part_bytes"]
        with path.open("rb") as source:
            for number in range(1, -(-size // part) + 1):
                length = min(part, size - (number - 1) * part)
                if there.get(number) != length:
                    source.seek((number - 1) * part)
                    self._send_part(file_id, number, source.read(length))
                progress(min(number * part, size), size)
        file: File = self._api.call("POST", f"files/{file_id}/complete", {"size": size})
        state.forget()
        return file

    def _resume_or_announce(
        self, state: UploadState, about: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[int, int]]:
        """The upload to continue and the sizes of the parts that it has, or a new upload."""
        kept = state.load()
        if kept is not None:
            try:
                parts = self._api.call("GET", f"files/{kept['file_id']}/parts")["parts"]
            except Problem as problem:
                # 404: it was removed; 409: it has ended. Both mean that there is nothing to continue.
                if problem.status not in {404, 409}:
                    raise
            else:
                return kept, {part["number"]: part["size"] for part in parts}
        target = self._api.call("POST", "files", about | {"method": "multipart"})
        upload = {"file_id": target["file"]["file_id"], "part_bytes": target["part_bytes"]}
        state.save(upload)
        return upload, {}

    def _send_part(self, file_id: str, number: int, content: bytes) -> None:
        answer = self._api.call("POST", f"files/{file_id}/parts", {"numbers": [number]})
        self._api.put(answer["parts"][0]["url"], content)

    def encrypt_and_send(
        self, path: Path, about: dict[str, Any], passphrase: str | None, progress: Progress
    ) -> File:
        """Encrypt a file, upload its body, and have the platform acknowledge it."""
        made = self._api.call("POST", "local-files", about | {"method": "multipart"})
        upload, key = made["upload"], FileKey.from_document(made["secret"])
        file_id, size = upload["file"]["file_id"], path.stat().st_size
        sha256 = hashlib.sha256()

        def send(number: int, content: bytes) -> None:
            self._send_part(file_id, number, content)
            progress(min(number * upload["part_bytes"], size), size)

        sink = PartsSink(send, upload["part_bytes"])
        with path.open("rb") as source:
            body = encrypt_stream(source, sink, key=key.key, context=key.context, seen=sha256.update)
        sink.send_rest()
        self._api.call("POST", f"files/{file_id}/complete", {"size": body.ciphertext_size})
        progress(size, size)
        finish = {"sha256": sha256.hexdigest()}
        finish |= {"passphrase": passphrase} if passphrase is not None else {}
        return dict(self._api.call("POST", f"local-files/{file_id}/finish", finish))


class PartsSink:
    """Collects what is written into parts of one size, and sends each as soon as it is full."""

    def __init__(self, send: Callable[[int, bytes], object], part_bytes: int) -> None:
        self._send, self._part_bytes = send, part_bytes
        self._pending, self._number = bytearray(), 0

    def write(self, data: memoryview, /) -> None:
        """Take all of ``data``."""
        self._pending += data
        while len(self._pending) >= self._part_bytes:
            self._send_next(self._part_bytes)

    def send_rest(self) -> None:
        """Send what fills no whole part."""
        if self._pending:
            self._send_next(len(self._pending))

    def _send_next(self, size: int) -> None:
        self._number += 1
        self._send(self._number, bytes(self._pending[:size]))
        del self._pending[:size]
