"""A stand-in for the platform's files, in memory: it counts what it is asked, and loses answers on demand.

It answers as the API does, so that the client's own faults can be tried in milliseconds; tests/e2e holds the client
against the platform itself.
"""

import base64
import hashlib
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import qkdseal

PART = 64 * 1024
RANGE_LIMIT = 96 * 1024
CONTEXT = b"context of the file"


@dataclass
class Stored:
    """A file as the stand-in knows it."""

    file_id: str
    about: dict[str, Any]
    status: str
    key: bytes = field(default_factory=lambda: os.urandom(32))
    parts: dict[int, bytes] = field(default_factory=dict)
    joined: bool = False
    body: bytes = b""
    content: bytes = b""
    sha256: str | None = None
    version: int = 1
    replaces: str = ""

    def shown(self) -> dict[str, Any]:
        encrypted = self.status in {"encrypted", "deleted"}
        return {
            "file_id": self.file_id,
            "name": self.about.get("name"),
            "source_path": self.about.get("source_path"),
            "document_type": self.about.get("document_type"),
            "attributes": self.about.get("attributes", {}),
            "status": self.status,
            "size": len(self.content) if encrypted else None,
            "version": self.version,
            "ciphertext_size": len(self.body) if encrypted else None,
            "has_passphrase": "passphrase" in self.about,
            "reason": "too large" if self.status == "rejected" else None,
        }


class Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


Fault = Callable[[str, str, int], str | None]


class Platform:
    """``faults`` are asked about each request: None, a status, ``before`` or ``after`` (the connection is cut)."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.server, self.files = server, dict[str, Stored]()
        self.announced, self.requests = dict[str, Any](), list[tuple[str, str]]()
        self.faults: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.lock = threading.RLock()
        self.encrypts = True
        self.wrong_bytes = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def lose(self, method: str, path: str, how: str, times: int = 1) -> None:
        """Lose the answers (or requests) of the next calls that fit."""
        left = [times]

        def fault(asked: str, at: str, _count: int) -> str | None:
            if asked == method and re.search(path, at) and left[0]:
                left[0] -= 1
                return how
            return None

        self.faults.append(fault)

    def waiting(self) -> list[Stored]:
        return [file for file in self.files.values() if file.status.startswith("awaiting")]

    def encrypted(self) -> list[Stored]:
        return [file for file in self.files.values() if file.status == "encrypted"]

    def put_file(self, content: bytes, name: str = "a.bin", **about: Any) -> Stored:
        """A file that is there already."""
        stored = Stored(
            f"f{len(self.files)}", {"name": name, "document_type": "document", **about}, "encrypted"
        )
        self._seal(stored, content)
        self.files[stored.file_id] = stored
        return stored

    def _seal(self, stored: Stored, content: bytes) -> None:
        stored.content, stored.status = content, "encrypted"
        stored.body = qkdseal.seal_bytes(stored.key, CONTEXT, content)
        stored.sha256 = hashlib.sha256(content).hexdigest()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        path, _, _query = path.partition("?")
        if path.startswith("/store/"):
            return self._store(method, path.removeprefix("/store/"), headers, body)
        if headers.get("X-API-Key") != "key":
            raise Refused(401, "The API key is not valid.")
        place = path.removeprefix("/api/v1/").split("/")
        document = json.loads(body) if body else {}
        if place == ["files"] and method == "GET":
            return 200, {"items": [f.shown() for f in reversed(self.files.values())], "next": None}, {}
        if place in (["files"], ["local-files"]):
            key = document.pop("upload_id")
            return 201, self._announce(document, key, local=place == ["local-files"]), {}
        stored = self.files.get(place[1])
        if stored is None:
            raise Refused(404, "There is no such file.")
        if place[0] == "local-files":
            return 200, self._finish(stored, document), {}
        act = getattr(self, f"_{method.lower()}_{place[2] if len(place) > 2 else 'file'}")
        answer: tuple[int, Any, dict[str, str]] = act(stored, document, headers)
        return answer

    def _announce(self, about: dict[str, Any], key: str, *, local: bool) -> Any:
        file_id = f"file-{key}"
        if key not in self.announced:
            stored = Stored(file_id, about, "awaiting_body" if local else "awaiting_upload")
            self.files[file_id], self.announced[key] = stored, about
        elif self.announced[key] != about:
            raise Refused(409, "Something else was announced under this upload_id.")
        stored = self.files[file_id]
        multipart = about["method"] == "multipart" and stored.status.startswith("awaiting")
        target = {
            "file": stored.shown(),
            "upload_url": None if multipart else f"{self.url}/store/{file_id}/0",
            "part_bytes": PART if multipart else None,
        }
        return {"upload": target, "secret": self._secret(stored)} if local else target

    def _post_versions(self, stored: Stored, document: Any, _headers: Any) -> Any:
        key = document.pop("upload_id")
        target = self._announce({**stored.about, **document}, key, local=False)
        self.files[target["file"]["file_id"]].replaces = stored.file_id
        return 201, target, {}

    def _delete_file(self, stored: Stored, _document: Any, _headers: Any) -> Any:
        stored.status = "deleted"
        return 200, stored.shown(), {}

    def _secret(self, stored: Stored) -> dict[str, Any]:
        return {
            "file": stored.shown(),
            "key": base64.b64encode(stored.key).decode(),
            "context": base64.b64encode(CONTEXT).decode(),
            "format": "c2sp-cobblestone-256",
            "url": f"{self.url}/store/{stored.file_id}/body",
            "sha256": stored.sha256,
        }

    def _awaited(self, stored: Stored) -> None:
        if not stored.status.startswith("awaiting") or stored.joined:
            raise Refused(409, f"It is {stored.status}.")

    def _get_file(self, stored: Stored, _document: Any, _headers: Any) -> Any:
        return 200, stored.shown(), {}

    def _get_parts(self, stored: Stored, _document: Any, _headers: Any) -> Any:
        self._awaited(stored)
        parts = [{"number": n, "size": len(part)} for n, part in sorted(stored.parts.items())]
        return 200, {"parts": parts}, {}

    def _post_parts(self, stored: Stored, document: Any, _headers: Any) -> Any:
        self._awaited(stored)
        urls = [{"number": n, "url": f"{self.url}/store/{stored.file_id}/{n}"} for n in document["numbers"]]
        return 200, {"parts": urls}, {}

    def _post_complete(self, stored: Stored, document: Any, _headers: Any) -> Any:
        if stored.joined or not stored.status.startswith("awaiting"):
            return 200, stored.shown(), {}
        whole = b"".join(part for _, part in sorted(stored.parts.items()))
        if len(whole) != document["size"]:
            raise Refused(400, f"{len(whole)} bytes have arrived.")
        stored.joined, stored.body = True, whole
        self.counts["joined"] += 1
        self.encrypt(stored)
        return 200, stored.shown(), {}

    def encrypt(self, stored: Stored) -> None:
        """As the platform does with what has arrived."""
        if self.encrypts and stored.status == "awaiting_upload":
            self._seal(stored, stored.body)
            if stored.replaces:
                document = self.files[stored.replaces]
                document.version += 1
                self._seal(document, stored.content)
                stored.status = "applied"

    def _finish(self, stored: Stored, document: Any) -> Any:
        if stored.status == "awaiting_body":
            stored.content = qkdseal.open_bytes(stored.key, CONTEXT, stored.body)
            stored.sha256, stored.status = document["sha256"], "encrypted"
        return stored.shown()

    def _post_abort(self, stored: Stored, _document: Any, _headers: Any) -> Any:
        self._awaited(stored)
        stored.status, stored.parts = "rejected", {}
        return 200, stored.shown(), {}

    def _post_digest(self, stored: Stored, _document: Any, _headers: Any) -> Any:
        return 200, {"sha256": stored.sha256}, {}

    def _get_package(self, stored: Stored, _document: Any, _headers: Any) -> Any:
        url = f"{self.url}/store/{stored.file_id}/body"
        return 200, {"file_id": stored.file_id, "envelope": {"header": {}}, "url": url}, {}

    def _post_key(self, stored: Stored, _document: Any, _headers: Any) -> Any:
        return 200, self._secret(stored), {}

    def _get_content(self, stored: Stored, _document: Any, headers: Any) -> Any:
        etag = f'"{stored.version}"'
        if headers.get("If-Match", etag) != etag:
            raise Refused(412, "The content is another by now.")
        start, stop = _range(headers, len(stored.content))
        stop = min(stop, start + RANGE_LIMIT)
        piece = bytes(stop - start) if self.wrong_bytes else stored.content[start:stop]
        if "Range" not in headers:
            return 200, piece, {}
        return 206, piece, {"Content-Range": f"bytes {start}-{stop - 1}/{len(stored.content)}", "ETag": etag}

    def _store(self, method: str, place: str, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        file_id, _, what = place.partition("/")
        stored = self.files[file_id]
        if method == "GET":
            start, stop = _range(headers, len(stored.body))
            return (
                206,
                stored.body[start:stop],
                {"Content-Range": f"bytes {start}-{stop - 1}/{len(stored.body)}"},
            )
        if what == "0":
            stored.body = body
            self.encrypt(stored)
        else:
            stored.parts[int(what)] = body
        self.counts["put"] += 1
        return 200, b"", {}


def _range(headers: Any, size: int) -> tuple[int, int]:
    first, _, last = headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
    return int(first), min(int(last) + 1, size) if last else size


def _handler(platform: Platform) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - its methods are counted
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b"".join(self._chunks())
            with platform.lock:
                platform.requests.append((self.command, self.path))
                count = len(platform.requests)
                how = next((h for f in platform.faults if (h := f(self.command, self.path, count))), None)
                if how == "before":
                    self.close_connection = True
                    return
                status, content, headers = self._answer(body, how)
            if how == "after":
                self.close_connection = True
                return
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(data))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if how == "half" else data)
            self.close_connection = self.close_connection or how == "half"

        def _chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def _answer(self, body: bytes, how: str | None) -> tuple[int, Any, dict[str, str]]:
            if how and how.isdigit():
                return int(how), {"detail": "Not now.", "type": "x"}, {}
            try:
                return platform.answer(self.command, self.path, self.headers, body)
            except Refused as refused:
                return refused.status, {"detail": refused.detail, "type": "x"}, {}

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: Any) -> None:
            return

    return Handler


@contextmanager
def running() -> Iterator[Platform]:
    """A stand-in on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    platform = Platform(server)
    server.RequestHandlerClass = _handler(platform)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
