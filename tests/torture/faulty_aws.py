"""The embedded AWS with faults, in its own environment, started by ``supervised``.

What goes wrong and how often stands in ``faults.json`` beside the state, as ``{service: {fault: share}}``, read anew
with each request; ``dead-letters`` is a service of its own: what is sent to their queue. Faults before the call: ``delay``,
``error``, ``throttle``. After it was carried out: ``lost`` (no answer), ``truncate`` (half of one), ``twice`` (carried out
once more).
"""

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from apps.stack.embedded import surroundings

surroundings.set_up()

from apps.stack.embedded import server  # noqa: E402 - see above

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
FAULTS = Path(os.environ["STATE_DIR"]).parent / "faults.json"
DEAD_LETTERS = b"-dead-letters"
_HEALTH = "/_ministack/health"


class Lost(Exception):
    """The connection is closed without the rest of the answer."""


def service_of(scope: Message) -> str:
    """Which service a request is for."""
    target = dict(scope["headers"]).get(b"x-amz-target", b"")
    if target.startswith(b"DynamoDBStreams"):
        return "streams"
    if target.startswith(b"DynamoDB"):
        return "dynamodb"
    return "sqs" if target.startswith(b"AmazonSQS") else "s3"


def mixed() -> dict[str, dict[str, float]]:
    """The shares of the faults of each service."""
    try:
        found: dict[str, dict[str, float]] = json.loads(FAULTS.read_text())
    except (OSError, ValueError):
        return {}
    return found


def chosen(shares: dict[str, float]) -> str | None:
    """The fault of a request, if it has one."""
    drawn = random.random()
    for fault, share in shares.items():
        drawn -= share
        if drawn < 0:
            return str(fault)
    return None


class FaultyServer(server.Server):
    """The server, with something that goes wrong."""

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        mix = mixed() if scope["type"] == "http" and scope["path"] != _HEALTH else {}
        service = service_of(scope) if mix else ""
        if "dead-letters" in mix and dict(scope["headers"]).get(b"x-amz-target") == b"AmazonSQS.SendMessage":
            request = await _whole(receive)
            receive = _again(request)
            if any(DEAD_LETTERS in part.get("body", b"") for part in request):
                service = "dead-letters"
        fault = chosen(mix.get(service, {}))
        if fault is None:
            await super().__call__(scope, receive, send)
        elif fault == "delay":
            await asyncio.sleep(random.uniform(0.2, 3.0))
            await super().__call__(scope, receive, send)
        elif fault in {"error", "throttle"}:
            await _refuse(scope, send, throttled=fault == "throttle")
        else:
            await self._after(fault, scope, receive, send)

    async def _after(self, fault: str, scope: Message, receive: Any, send: Send) -> None:
        request = await _whole(receive)
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await super().__call__(scope, _again(request), keep)
        if fault == "twice":
            answer.clear()
            await super().__call__(scope, _again(request), keep)
            for message in answer:
                await send(message)
            return
        body = b"".join(message.get("body", b"") for message in answer[1:])
        if body:
            await send(answer[0])
            await send(
                {
                    "type": "http.response.body",
                    "body": body[: len(body) // 2 if fault == "truncate" else 0],
                    "more_body": True,
                }
            )
        raise Lost


async def _whole(receive: Any) -> list[Message]:
    found = [await receive()]
    while found[-1].get("more_body"):
        found.append(await receive())
    return found


def _again(request: list[Message]) -> Any:
    waiting = [dict(message) for message in request]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    return receive


async def _refuse(scope: Message, send: Send, *, throttled: bool) -> None:
    code = "ThrottlingException" if throttled else "InternalServerError"
    status = 400 if throttled else random.choice([500, 503])
    if service_of(scope) == "s3":
        status, kind = 503, b"application/xml"
        body = f"<Error><Code>{'SlowDown' if throttled else 'InternalError'}</Code></Error>".encode()
    else:
        kind, body = (
            b"application/x-amz-json-1.0",
            json.dumps({"__type": code, "message": "tortured"}).encode(),
        )
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    server.Server = FaultyServer  # type: ignore[misc]
    server.main()
