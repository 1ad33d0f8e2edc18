"""HTTPS to other key management entities, with certificates of both sides.

What they answer is read with a limit of bytes and a limit of time that holds for all of it: handshake, headers, body. No
redirect is followed.
"""

import json
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import urllib3
from django.conf import settings
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError
from urllib3.exceptions import TimeoutError as TimedOut

from apps.common import tracing
from apps.common.errors import Unavailable
from qkdseal import JsonInvalid, read_json

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
WHOLE_SECONDS = 20.0  # of one request: an answer that comes byte by byte ends here, in its headers too
MOST_BYTES = 262_144  # of an answer: 128 keys of 256 bits have 16 KB
CHUNK = 16_384


class Fault(StrEnum):
    """What was wrong with another entity, or its answer."""

    UNREACHABLE = "unreachable"
    TOO_SLOW = "too_slow"
    UNTRUSTED = "untrusted"  # its certificate is not, or it does not accept ours
    REFUSED = "refused"  # 400 or 401
    UNAVAILABLE = "unavailable"  # 503, and whatever else is no answer
    REDIRECTED = "redirected"
    TOO_LONG = "too_long"
    NOT_JSON = "not_json"
    MALFORMED = "malformed"
    WRONG_COUNT = "wrong_count"
    WRONG_SIZE = "wrong_size"
    WRONG_ID = "wrong_id"
    REPEATED_ID = "repeated_id"
    REPEATED_KEY = "repeated_key"
    CONSTANT_KEY = "constant_key"

    @property
    def is_alarming(self) -> bool:
        """Return whether its keys are not to be trusted any more until somebody looked at it."""
        return self in {Fault.REPEATED_ID, Fault.REPEATED_KEY, Fault.CONSTANT_KEY}


class KmeFailed(Unavailable):
    """Another entity gave no keys that can be used. The message names no key."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


class _Bounded(ssl.SSLSocket):
    """A connection whose every read ends with the whole request: one that gets a byte now and then ends, too."""

    ends: float | None = None

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - as ssl names it
        if self.ends is not None:
            left = self.ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("the whole answer took too long")
            self.settimeout(min(READ_SECONDS, left))
        return super().read(len, buffer)


class Https:
    """Requests to one other entity.

    Args:
        base_url: https, host and port.
        client: which of KME_CLIENTS the platform comes as.

    Raises:
        KmeFailed: there is no such client, or its files cannot be used.
    """

    def __init__(self, base_url: str, client: str) -> None:
        self._base_url = base_url.rstrip("/")

        class Here(_Bounded):  # with an end of time of its own
            pass

        self._socket = Here
        context = client_context(client)
        context.sslsocket_class = self._socket
        self._pool = urllib3.PoolManager(
            ssl_context=context,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )

    def close(self) -> None:
        """End its connections."""
        self._pool.clear()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask, and read the JSON that is answered with 200.

        Raises:
            KmeFailed: nothing else came, or nothing in time.
        """
        ends = self._socket.ends = time.monotonic() + WHOLE_SECONDS
        content = None if body is None else json.dumps(body).encode()
        with _told():
            answer = self._pool.request(
                method,
                f"{self._base_url}{path}",
                body=content,
                headers={"Content-Type": "application/json"} | tracing.as_headers(),
                redirect=False,
                preload_content=False,
            )
            try:
                came = b"".join(_chunks(answer, ends))
            finally:
                answer.close()
        return _read(answer.status, came)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the connection raises into what is wrong with the entity."""
    try:
        yield
    except NewConnectionError as error:  # to urllib3 a time-out as well
        raise KmeFailed(Fault.UNREACHABLE, "It cannot be reached.") from error
    except (TimedOut, ReadTimeoutError) as error:
        raise KmeFailed(Fault.TOO_SLOW, "It did not answer in time.") from error
    except urllib3.exceptions.SSLError as error:
        raise KmeFailed(
            Fault.UNTRUSTED, "TLS failed: one of the two certificates is not accepted."
        ) from error
    except (HTTPError, OSError) as error:
        reason = getattr(error, "reason", None)
        if isinstance(reason, ssl.SSLError) or isinstance(error, ssl.SSLError) or "certificate" in str(error):
            raise KmeFailed(
                Fault.UNTRUSTED, "TLS failed: one of the two certificates is not accepted."
            ) from error
        raise KmeFailed(Fault.UNREACHABLE, "It cannot be reached, or hung up.") from error


def _chunks(answer: Any, ends: float) -> Iterator[bytes]:
    total = 0
    while chunk := answer.read1(CHUNK) if hasattr(answer, "read1") else answer.read(CHUNK):
        total += len(chunk)
        if total > MOST_BYTES:
            raise KmeFailed(Fault.TOO_LONG, f"The answer has more than {MOST_BYTES} bytes.")
        if time.monotonic() > ends:
            raise KmeFailed(Fault.TOO_SLOW, f"The answer took more than {WHOLE_SECONDS:.0f} seconds.")
        yield chunk


def _read(status: int, content: bytes) -> Any:
    if 300 <= status < 400:
        raise KmeFailed(Fault.REDIRECTED, f"It answers {status}; no redirect is followed.")
    if status in {400, 401, 403, 404}:
        raise KmeFailed(Fault.REFUSED, f"It refuses the platform ({status}).")
    if status != 200:
        raise KmeFailed(Fault.UNAVAILABLE, f"It gives no keys now ({status}).")
    try:
        return read_json(content.decode("utf-8"))
    except (JsonInvalid, UnicodeDecodeError):
        # Not with the cause, which quotes what came: there may be keys in it
        raise KmeFailed(Fault.NOT_JSON, "The answer is no JSON.") from None


def client_context(name: str) -> ssl.SSLContext:
    """Make the TLS of one of KME_CLIENTS: our certificate, and the authority that the other entity's has to be of.

    Raises:
        KmeFailed: there is no such client, or its files cannot be used.
    """
    told = settings.KME_CLIENTS.get(name)
    if not isinstance(told, Mapping) or not {"certificate", "key", "authority"} <= told.keys():
        raise KmeFailed(Fault.UNTRUSTED, f"KME_CLIENTS has no {name!r} with certificate, key and authority.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        with ExitStack() as stack:
            paths = {kind: stack.enter_context(_as_file(str(told[kind]))) for kind in ("certificate", "key")}
            context.load_cert_chain(paths["certificate"], paths["key"])
        authority = str(told["authority"])
        context.load_verify_locations(
            cadata=authority if _is_pem(authority) else Path(authority).read_text("ascii")
        )
    except (OSError, ValueError) as error:
        raise KmeFailed(
            Fault.UNTRUSTED, f"The certificates of the client {name!r} cannot be used."
        ) from error
    return context


def _is_pem(text: str) -> bool:
    return text.lstrip().startswith("-----BEGIN")


@contextmanager
def _as_file(told: str) -> Iterator[str]:
    """The path of a file, or of one in memory where the text itself is told: a key is put on no disk."""
    if not _is_pem(told):
        yield told
        return
    descriptor = os.memfd_create("kme-client")
    try:
        os.write(descriptor, told.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
