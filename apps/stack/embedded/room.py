"""A disk that is nearly full: changes are refused while there is still room to refuse them, and reading goes on."""

import os
from pathlib import Path

from apps.stack.embedded.guard import Scope, Send

RESERVE = 16 * 2**20  # bytes left for what is under way, and for what gives room again
_GROWING = ("Put", "Update", "Delete", "BatchWrite", "Transact", "Execute", "BatchExecute", "Create", "Send")


class Room:
    """What is left on the disk that holds the state."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def refusal(self, scope: Scope) -> str | None:
        """Say why a call that would grow what is kept is refused, or None."""
        if not _grows(scope):
            return None
        found = os.statvfs(self._directory)
        free = found.f_bavail * found.f_frsize
        if free >= RESERVE + _length(scope):
            return None
        return f"The disk is full: {free // 2**20} MiB left for {self._directory}. Free some space, then try again."


def _grows(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    target = headers.get(b"x-amz-target", b"").decode("latin-1")
    service, _, action = target.partition(".")
    if service.startswith("AmazonSQS"):
        return bool(action.startswith(("Send", "Create")))  # receiving and deleting empties a queue
    if target:
        return bool(action.startswith(_GROWING))
    form = headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded")
    return scope["method"] in {"PUT", "POST"} and not form


def _length(scope: Scope) -> int:
    text = dict(scope["headers"]).get(b"content-length", b"0")
    return int(text) if text.isdigit() else 0


async def refuse(scope: Scope, send: Send, sentence: str) -> None:
    """Answer 503 as AWS does, so that a client tries again and then says why it gives up."""
    if b"x-amz-target" in dict(scope["headers"]):
        kind = b"application/x-amz-json-1.0"
        body = f'{{"__type": "ServiceUnavailable", "message": "{sentence}"}}'
    else:
        kind = b"application/xml"
        body = f"<Error><Code>ServiceUnavailable</Code><Message>{sentence}</Message></Error>"
    headers = [(b"content-type", kind), (b"content-length", str(len(body.encode())).encode())]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
