"""The KME on a socket of its own: cheroot with mutual TLS, for loopback and for those who do without API Gateway."""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

from apps.kme.api.etsi014 import CERTIFICATE, application

THREADS = 32
TIMEOUT_SECONDS = 10  # of a client that is silent, in its handshake or later
WAITING = 64  # connections that no thread has taken up yet


@dataclass(frozen=True, slots=True)
class Identity:
    """What the KME shows, and whom it trusts; files in PEM."""

    certificate: Path
    key: Path
    authority: Path  # that gave the applications their certificates
    revocations: Path | None = None  # its list of those that it took back; read again when the file changes


def make_context(identity: Identity) -> ssl.SSLContext:
    """TLS 1.2 or newer, with a certificate of both sides; none that the authority took back.

    No session is resumed: that would go past the list of revocations.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.certificate, identity.key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(identity.authority)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    if identity.revocations is not None:
        context.load_verify_locations(identity.revocations)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


class Adapter(BuiltinSSLAdapter):
    """TLS whose handshakes are made by the threads that serve: a client that is slow at it keeps nobody else waiting."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(str(identity.certificate), str(identity.key))
        self._identity = identity
        self._lock = threading.Lock()
        self._read = self._changed()
        self.context = make_context(identity)

    def _changed(self) -> float:
        listed = self._identity.revocations
        return listed.stat().st_mtime if listed is not None else 0.0

    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        with self._lock:
            changed = self._changed()
            if changed != self._read:
                self.context, self._read = make_context(self._identity), changed
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class Gateway(wsgi.Gateway_10):
    """Puts the certificate of the connection where the application looks for it."""

    def get_environ(self) -> Any:
        environ = super().get_environ()  # type: ignore[no-untyped-call]
        shown = self.req.conn.socket.getpeercert(binary_form=True)
        environ[CERTIFICATE] = ssl.DER_cert_to_PEM_cert(shown) if shown else ""
        return environ


def make_server(
    host: str, port: int, identity: Identity, *, served: Callable[..., Any] = application
) -> wsgi.Server:
    """Make a server, bound by ``prepare`` and run by ``serve``."""
    server = wsgi.Server(
        (host, port), served, numthreads=THREADS, request_queue_size=WAITING, timeout=TIMEOUT_SECONDS
    )
    server.gateway = Gateway
    server.software = "KME"  # which versions there are is nobody's business
    server.ssl_adapter = Adapter(identity)
    return server
