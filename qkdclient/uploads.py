"""Uploads: in parts that can be taken up again, or encrypted here."""

import hashlib
from pathlib import Path
from typing import Any

from qkdclient import body
from qkdclient.api import Api, Problem
from qkdclient.body import PlaintextDigest, secrets_of
from qkdclient.progress import Progress
from qkdclient.state import UploadState

File = dict[str, Any]


class Uploads:
    """The ways up. ``about`` is what the platform is told of a file."""

    def __init__(self, api: Api, server: str) -> None:
        self._api, self._server = api, server

    def plain(self, path: Path, about: dict[str, Any], progress: Progress) -> File:
        """Upload a file; only the parts that are missing, where an earlier upload was interrupted."""
        size = path.stat().st_size
        if not size:
            target = self._api.call("POST", "files", about)
            self._api.put(target["upload_url"], b"")
            progress(0, 0)
            return dict(target["file"])
        state = UploadState(self._server, path)
        upload, there = self._begun(state, about)
        file_id, part = upload["file_id"], upload["part_bytes"]
        with path.open("rb") as source:
            for number in range(1, -(-size // part) + 1):
                length = min(part, size - (number - 1) * part)
                if there.get(number) != length:
                    source.seek((number - 1) * part)
                    self._send(file_id, number, source.read(length))
                progress(min(number * part, size), size)
        file: File = self._api.call("POST", f"files/{file_id}/complete", {"size": size})
        state.forget()
        return file

    def _begun(self, state: UploadState, about: dict[str, Any]) -> tuple[dict[str, Any], dict[int, int]]:
        """The upload to go on with and the sizes of the parts it has, or a new one."""
        kept = state.load()
        if kept is not None:
            try:
                parts = self._api.call("GET", f"files/{kept['file_id']}/parts")["parts"]
            except Problem as problem:
                if problem.status not in {404, 409}:
                    raise
            else:
                return kept, {part["number"]: part["size"] for part in parts}
        target = self._api.call("POST", "files", about | {"method": "multipart"})
        upload = {"file_id": target["file"]["file_id"], "part_bytes": target["part_bytes"]}
        state.save(upload)
        return upload, {}

    def _send(self, file_id: str, number: int, content: bytes) -> None:
        answer = self._api.call("POST", f"files/{file_id}/parts", {"numbers": [number]})
        self._api.put(answer["parts"][0]["url"], content)

    def sealed(self, path: Path, about: dict[str, Any], passphrase: str | None, progress: Progress) -> File:
        """Encrypt a file here and upload its body, then have it acknowledged."""
        made = self._api.call("POST", "local-files", about | {"method": "multipart"})
        file_id, part = made["upload"]["file"]["file_id"], made["upload"]["part_bytes"]
        key, context = secrets_of(made["secret"])
        digest, sha256, size = PlaintextDigest(key, context), hashlib.sha256(), path.stat().st_size
        number, done, pending = 0, 0, bytearray()
        with path.open("rb") as source:
            for piece in body.sealed(source, key=key, context=context, digest=digest):
                pending += piece
                if len(pending) >= part:
                    number, done = number + 1, done + part
                    self._send_sealed(file_id, number, pending, part, sha256)
                    progress(min(done, size), size)
        sha256.update(pending)
        self._send(file_id, number + 1, bytes(pending))
        self._api.call("POST", f"files/{file_id}/complete", {"size": done + len(pending)})
        progress(size, size)
        about = {"sha256": sha256.hexdigest(), "plaintext_hmac": digest.hexdigest()}
        about |= {"passphrase": passphrase} if passphrase is not None else {}
        return dict(self._api.call("POST", f"local-files/{file_id}/finish", about))

    def _send_sealed(self, file_id: str, number: int, pending: bytearray, part: int, sha256: Any) -> None:
        content = bytes(pending[:part])
        del pending[:part]
        sha256.update(content)
        self._send(file_id, number, content)
