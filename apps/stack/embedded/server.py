"""ministack in this process, on 127.0.0.1 only, behind the guard and with durable state."""

import asyncio
import contextlib
import gc
import os
import signal
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack

from apps.stack.embedded import room
from apps.stack.embedded.durability import Durability
from apps.stack.embedded.ending import cannot_start
from apps.stack.embedded.guard import READY, Guard, Message, Receive, Scope, Send, refuse

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Server:
    """The ASGI application around ministack's own."""

    def __init__(self, guard: Guard, durability: Durability) -> None:
        self._guard = guard
        self._room = room.Room(durability.directory)
        self._durability = durability
        self._restored = False
        self.failure: Exception | None = None  # why the state could not be restored

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await ministack.app(scope, receive, self._restoring(send))
        elif scope["type"] == "http":
            self._durability.asked()
            reason = self._guard.refusal(scope) if self._restored else "start: the state is not there"
            if reason is not None:
                await refuse(send, reason)
            elif scope["path"] in READY:
                # Tells of no change, so it waits for no flush: a slow disk is no reason to start this process again
                await ministack.app(scope, receive, send)
            elif (full := self._room.refusal(scope)) is not None:
                await room.refuse(scope, send, full)
            else:
                await ministack.app(scope, receive, self._recording(scope, send))
        else:  # a WebSocket: nothing of ours needs one
            await send({"type": "websocket.close", "code": 1008})

    def _restoring(self, send: Send) -> Send:
        async def restore_then_send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                try:
                    await self._durability.restore()
                except Exception as error:  # noqa: BLE001 - reported, and the process ends
                    self.failure = error
                    # Raised further, hypercorn would go on without a lifespan, and so without the state.
                    message = {
                        "type": "lifespan.startup.failed",
                        "message": f"{type(error).__name__}: {error}",
                    }
                else:
                    self._restored = True
                gc.enable()
            await send(message)

        return restore_then_send

    def _recording(self, scope: Scope, send: Send) -> Send:
        target = dict(scope["headers"]).get(b"x-amz-target", b"")
        if target.startswith(b"DynamoDB"):
            return self._settling(send)  # its own hook has logged the change already
        changes = scope["method"] not in _READING and not target.startswith(b"AmazonSQS")
        bucket_changed = changes and not target and scope["path"].strip("/").count("/") == 0

        async def record_then_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._durability.answering(bucket_changed=bucket_changed)
                if changes:
                    self._durability.touched()
            await settle_then_send(message)

        settle_then_send = self._settling(send)
        return record_then_send

    def _settling(self, send: Send) -> Send:
        async def settle_then_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._durability.settled()
            await send(message)

        return settle_then_send


async def run(port: int, durability: Durability, guard: Guard) -> None:
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
    saving = asyncio.create_task(durability.keep())
    server = Server(guard, durability)
    try:
        await serve(server, config, shutdown_trigger=stop.wait)
    finally:
        saving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saving
        if server.failure is not None:
            cannot_start(server.failure)
    durability.close()


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # Open connections are cancelled at the end; Python 3.11 reports each as an error.
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


def main() -> None:
    """Environment: GATEWAY_PORT, STATE_DIR; ALLOW_ORIGINS (commas).

    AWS_SECRET_ACCESS_KEY is the secret key that the platform signs addresses with. JOURNAL_FSYNC=0 leaves it to the system
    when a change is on the disk itself: a power cut then takes the last moments with it.
    """
    gc.disable()  # until the state is there: nothing of it is garbage, and looking for some takes a fifth of the start
    durability = Durability(Path(os.environ["STATE_DIR"]), fsync=os.environ.get("JOURNAL_FSYNC") != "0")
    durability.install()
    origins = [origin for origin in os.environ.get("ALLOW_ORIGINS", "").split(",") if origin]
    port = int(os.environ["GATEWAY_PORT"])
    guard = Guard(port, origins, secret=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"))
    asyncio.run(run(port, durability, guard))
