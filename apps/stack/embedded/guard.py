"""The door of the embedded AWS: programs on this machine may enter, web pages may not.

It takes unsigned calls, as any emulator does, so a page in the user's browser could drive it. Refused
are foreign names (DNS rebinding), origins that are not the console's, and what a browser marks as coming
from another site: of that, only the reading of a presigned object passes. Whatever calls itself presigned must be:
its signature is verified.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from apps.stack.embedded import presigned

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_FROM_ELSEWHERE = frozenset({"cross-site", "same-site"})
_ADMIN = ("/_ministack", "/_localstack", "/_aws")
READY = frozenset({"/_ministack/health", "/_ministack/ready"})


class Guard:
    """Decides from a request's line and headers alone."""

    def __init__(self, port: int, origins: Iterable[str], *, secret: str = "test") -> None:  # noqa: S107 - its default
        self._secret = secret
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._origins = frozenset(origins)

    def refusal(self, scope: Scope) -> str | None:
        """Why a request is refused, or None."""
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        hosts = {value.lower() for name, value in headers if name == "host"}
        origins = {value for name, value in headers if name == "origin"}
        elsewhere = any(name == "sec-fetch-site" and value in _FROM_ELSEWHERE for name, value in headers)
        if not hosts or not hosts <= self._hosts:
            return "host"
        if not origins <= self._origins:
            return "origin"
        if elsewhere and not origins and not _reads_presigned(scope):
            return "site"
        if _is_presigned(scope) and not presigned.is_valid(scope, self._secret):
            return "signature"
        if scope["path"].startswith(_ADMIN) and scope["path"] not in READY:
            return "path"
        return None


def _is_presigned(scope: Scope) -> bool:
    # A preflight is sent before the request that is signed, with its address
    return scope["method"] != "OPTIONS" and "X-Amz-Signature" in _query(scope)


def _reads_presigned(scope: Scope) -> bool:
    return scope["method"] in {"GET", "HEAD"} and _is_presigned(scope) and "Action" not in _query(scope)


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)


async def refuse(send: Send, reason: str) -> None:
    """Answer 403 and nothing else."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": f"forbidden {reason}\n".encode()})
