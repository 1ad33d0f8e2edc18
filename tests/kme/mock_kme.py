"""Another key management entity that does what a test tells it to, over TLS with certificates of both sides."""

import base64
import json
import os
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STATUS = {
    "stored_key_count": 1000,
    "max_key_per_request": 100,
    "min_key_size": 64,
    "max_key_size": 1024,
    "key_size": 256,
}


def a_key(key: bytes | None = None, key_id: str | None = None) -> dict[str, Any]:
    bits = os.urandom(32) if key is None else key
    return {"key_ID": key_id or str(uuid.uuid4()), "key": base64.b64encode(bits).decode()}


def keys_of(number: int, **more: Any) -> dict[str, Any]:
    return {"keys": [a_key(**more) for _ in range(number)]}


@dataclass
class MockKme:
    """Answers with what ``keys`` and ``status`` give: a document, bytes, a status with a document, or an act of its own."""

    port: int = 0
    keys: Callable[[int], Any] = keys_of
    collected: Callable[[list[str]], Any] = lambda ids: {"keys": [a_key(key_id=one) for one in ids]}
    status: Any = field(default_factory=lambda: dict(STATUS))
    asked: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mock: MockKme

    def do_GET(self) -> None:
        self._answer(self.mock.status)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/dec_keys"):
            self._answer(self.mock.collected([one["key_ID"] for one in asked["key_IDs"]]))
            return
        self.mock.asked.append(asked["number"])
        self._answer(self.mock.keys(asked["number"]))

    def _answer(self, found: Any) -> None:
        if callable(found):
            found(self)
            return
        status, body = found if isinstance(found, tuple) else (200, found)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if 300 <= status < 400:
            self.send_header("Location", f"{self.mock.url}/elsewhere")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def hang_up(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.close()


def say_nothing(handler: Handler) -> None:
    """Hang up after the client has."""
    with suppress(OSError):  # it left in the middle of TLS
        handler.connection.recv(1)
    hang_up(handler)


def drip(handler: Handler) -> None:
    """Send a byte now and then: no read is ever late, and the answer never ends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while True:  # until the client hangs up
        handler.wfile.write(b" ")
        time.sleep(0.05)


def drip_headers(handler: Handler) -> None:
    """Begin with a header that never ends, a byte now and then."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:  # likewise
        handler.wfile.write(b"x")
        time.sleep(0.05)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass  # clients that hang up are what is tried


@contextmanager
def served(folder: Path, certificate: str = "kme") -> Iterator[MockKme]:
    """Serve with a certificate of the authority in a folder."""
    mock = MockKme()
    server = Server(("127.0.0.1", 0), type("Mocked", (Handler,), {"mock": mock}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    mock.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield mock
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
