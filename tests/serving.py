"""The product behind waitress as ``make run`` serves it, and behind a proxy that keeps its connections."""

import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any

from waitress import wasyncore

from apps.stack.web import make_server
from qkdplatform.wsgi import application
from tests.waiting import LIMIT_SECONDS

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


@contextmanager
def served(what: Any = application) -> Iterator[int]:
    """Waitress in a thread; its port."""
    server = make_server(what, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield int(server.effective_port)
    finally:
        # In the server's own thread, which ends with its last socket
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))
        thread.join(10)
        server.task_dispatcher.shutdown()


class PoolingProxy(ThreadingHTTPServer):
    """Sends requests on over connections that it keeps, whatever is left in them."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.kept: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()
        self.origin = port

    def connection(self) -> http.client.HTTPConnection:
        try:
            return self.kept.get_nowait()
        except Empty:
            return http.client.HTTPConnection("127.0.0.1", self.origin, timeout=LIMIT_SECONDS)

    def server_close(self) -> None:
        super().server_close()
        while not self.kept.empty():
            self.kept.get_nowait().close()


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PoolingProxy

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = self.server.connection()
        connection.request(self.command, self.path, body or None, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        if answer.will_close:
            connection.close()
        else:
            self.server.kept.put(connection)
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = handle_any  # noqa: N815 - names that the server looks for

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def proxied(port: int) -> Iterator[int]:
    """Such a proxy before a port; its own."""
    proxy = PoolingProxy(port)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy.server_port
    finally:
        proxy.shutdown()
        proxy.server_close()


def exchange(port: int, sent: bytes, *, seconds: float = LIMIT_SECONDS) -> bytes:
    """All that comes back on one connection for these bytes, until it is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65_536):
            received += part
    return received


def request(
    method: str, path: str, headers: Mapping[str, str] | None = None, *, close: bool = False
) -> bytes:
    """One request as bytes; the last of a connection closes it."""
    shown = {"Host": "127.0.0.1", **(headers or {}), **({"Connection": "close"} if close else {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in shown.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
