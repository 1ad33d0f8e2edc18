"""Files of the platform, as a library."""

import base64
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from qkdclient import body
from qkdclient.api import Api, Interrupted, Problem
from qkdclient.body import Damaged, Opener, PlaintextDigest
from qkdclient.progress import Progress, silent
from qkdclient.state import UploadState

READ_BYTES = 2**20
WAIT_SECONDS = 0.5
ATTEMPTS = 5  # of a download whose connection breaks off

File = dict[str, Any]


class Client:
    """Uploads, lists, downloads and deletes. Every method raises ``Problem`` where the platform refuses."""

    def __init__(self, url: str, api_key: str) -> None:
        self._api, self._server = Api(url, api_key), url

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
            return self._upload_sealed(path, about, passphrase, progress)
        return self._waited(self._upload_plain(path, about, progress), wait_seconds)

    def _upload_plain(self, path: Path, about: dict[str, Any], progress: Progress) -> File:
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

    def _upload_sealed(
        self, path: Path, about: dict[str, Any], passphrase: str | None, progress: Progress
    ) -> File:
        made = self._api.call("POST", "local-files", about | {"method": "multipart"})
        file_id, part = made["upload"]["file"]["file_id"], made["upload"]["part_bytes"]
        key, context = _secrets(made["secret"])
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
        fetch = self._fetch_sealed if local else self._fetch_plain
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

    def _fetch_plain(self, file: File, part: Path, asked: dict[str, str], progress: Progress) -> None:
        size = file["size"]
        with part.open("ab") as sink:
            there = sink.tell()
            if there > size:
                sink.truncate(there := 0)
            if there == size:
                return
            url = self._api.call("POST", f"files/{file['file_id']}/download", asked)["url"]
            with self._api.get(url, start=there) as answer:
                while piece := answer.read(READ_BYTES):
                    sink.write(piece)
                    there += len(piece)
                    progress(there, size)
        if there != size:
            raise Interrupted(f"{there} of {size} bytes came")

    def _fetch_sealed(self, file: File, part: Path, asked: dict[str, str], progress: Progress) -> None:
        secret = self._api.call("POST", f"files/{file['file_id']}/key", asked)
        if secret["format"] != body.FORMAT:
            raise Damaged(f"the format {secret['format']} is not known here")
        key, context = _secrets(secret)
        with self._api.get(secret["url"], stop=body.HEADER) as answer:
            opener = Opener(answer.read(body.HEADER), key=key, context=context)
        digest = PlaintextDigest(key, context)
        with part.open("a+b") as sink:
            done = _continued(sink, digest)
            start = body.HEADER + done // body.CHUNK * body.SEALED_CHUNK
            with self._api.get(secret["url"], start=start) as answer:
                for piece in opener.opened(answer, first=done // body.CHUNK):
                    sink.write(piece)
                    digest.update(piece)
                    done += len(piece)
                    progress(done, file["size"])
        expected = file["plaintext_hmac"]
        if done != file["size"] or (expected is not None and digest.hexdigest() != expected):
            part.unlink()
            raise Damaged("what was downloaded is not the file that was uploaded")


def _own_name(file: File) -> str:
    """The file's name as one in this directory, whatever it says."""
    name = Path(file["name"].replace("\\", "/")).name
    return file["file_id"] if name in {"", ".", ".."} else name


def _secrets(document: dict[str, Any]) -> tuple[bytes, bytes]:
    return base64.b64decode(document["key"]), base64.b64decode(document["context"])


def _continued(sink: BinaryIO, digest: PlaintextDigest) -> int:
    """Whole chunks that an earlier download left; a torn one is cut off. All of them go into the digest."""
    there = sink.seek(0, os.SEEK_END) // body.CHUNK * body.CHUNK
    sink.truncate(there)
    sink.seek(0)
    left = there
    while left:
        piece = sink.read(min(READ_BYTES, left))
        digest.update(piece)
        left -= len(piece)
    return there
