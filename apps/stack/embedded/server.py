"""ministack in this process, on 127.0.0.1 only, behind the guard and with durable state."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack

from apps.stack.embedded.durability import Durability
from apps.stack.embedded.guard import Guard, Message, Receive, Scope, Send, refuse

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Server:
    """The ASGI application around ministack's own."""

    def __init__(self, guard: Guard, durability: Durability) -> None:
        self._guard = guard
        self._durability = durability
        self._restored = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await ministack.app(scope, receive, self._restoring(send))
        elif scope["type"] == "http":
            reason = self._guard.refusal(scope) if self._restored else "start: the state is not there"
            if reason is not None:
                await refuse(send, reason)
            else:
                await ministack.app(scope, receive, self._recording(scope, send))
        else:  # a WebSocket: nothing of ours needs one
            await send({"type": "websocket.close", "code": 1008})

    def _restoring(self, send: Send) -> Send:
        async def restore_then_send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                try:
                    await self._durability.restore()
                except Exception as error:  # noqa: BLE001 - reported, and the server ends
                    # Raised further, hypercorn would go on without a lifespan, and so without the state.
                    message = {
                        "type": "lifespan.startup.failed",
                        "message": f"{type(error).__name__}: {error}",
                    }
                else:
                    self._restored = True
            await send(message)

        return restore_then_send

    def _recording(self, scope: Scope, send: Send) -> Send:
        target = dict(scope["headers"]).get(b"x-amz-target", b"")
        if target.startswith(b"DynamoDB"):
            return send  # its own hook has logged the change already
        changes = scope["method"] not in _READING and not target.startswith(b"AmazonSQS")
        bucket_changed = changes and not target and scope["path"].strip("/").count("/") == 0

        async def record_then_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._durability.answering(bucket_changed=bucket_changed)
                if changes:
                    self._durability.touched()
            await send(message)

        return record_then_send


async def run(port: int, durability: Durability, origins: list[str]) -> None:
    """Serve until SIGTERM or SIGINT, then save."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    asyncio.get_running_loop().set_exception_handler(_report)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1  # a long poll need not end before we do
    config.h11_max_incomplete_size = 64 * 1024
    config.startup_timeout = 600  # a long journal is replayed before the port opens
    config.backlog = 1024
    saving = asyncio.create_task(durability.keep_small_services())
    await serve(Server(Guard(port, origins), durability), config, shutdown_trigger=stop.wait)
    saving.cancel()
    durability.close()


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # Open connections are cancelled at the end; Python 3.11 reports each as an error.
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


def main() -> None:
    """Environment: GATEWAY_PORT, STATE_DIR; ALLOW_ORIGINS (commas); JOURNAL_FSYNC=1 to sync every change."""
    durability = Durability(Path(os.environ["STATE_DIR"]), fsync=os.environ.get("JOURNAL_FSYNC") == "1")
    durability.install()
    origins = [origin for origin in os.environ.get("ALLOW_ORIGINS", "").split(",") if origin]
    asyncio.run(run(int(os.environ["GATEWAY_PORT"]), durability, origins))
