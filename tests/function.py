"""The package as Lambda runs it: AWS's own runtime client in a process of its own, against a Runtime API of ours.

The Runtime API is four HTTP calls (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). AWS's own emulator does
the same (tests/deploy/test_emulator.py); this one tells the processor time of each event, too.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil

from apps.stack import package_index, uv
from apps.stack.configuration import ROOT
from deploy import contents

CLIENT = ("awslambdaric==4.2.2", "simplejson==4.3.0", "snapshot-restore-py==1.0.0")
HANDLER = "qkdplatform.lambda_handler.handler"
BEGIN = "/2018-06-01/runtime/"
PATIENCE_SECONDS = 600  # until something is taken for hung


def runtime_of(folder: Path) -> list[str]:
    """What Lambda has beside a package, as folders to import from: the SDK of here, and its runtime client, fetched."""
    sdk, client = folder / "sdk", folder / "client"
    sdk.mkdir(parents=True)
    for name in contents.RUNTIME_BRINGS:
        (sdk / name).symlink_to(Path(str(__import__(name).__file__)).parent)
    command = [uv.provide(ROOT), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run(
        [*map(str, command), "--python", sys.executable, "--target", str(client), *CLIENT],
        check=True,
        env=os.environ | package_index.for_uv(),
    )
    return [str(sdk), str(client)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an event: the handler's answer, or its error, and what it took."""

    value: Any
    failed: bool
    cpu_seconds: float


class Function:
    """One instance of a function: it is started with the first event, and takes one at a time."""

    def __init__(
        self, folders: Sequence[str], environment: Mapping[str, str], handler: str = HANDLER
    ) -> None:
        self._events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._ended: queue.Queue[tuple[Any, bool]] = queue.Queue()
        self._idle: queue.Queue[float] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Api", (_RuntimeApi,), {"function": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        own = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(folders),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "qkdplatform-dev",
            "LAMBDA_TASK_ROOT": folders[0],
        }
        # -S: nothing of this environment, which has everything
        command = [sys.executable, "-S", "-W", "ignore", "-m", "awslambdaric", handler]
        self.process = subprocess.Popen(
            command, cwd=folders[0], env=own | dict(environment), stdout=subprocess.DEVNULL
        )
        self._seen = psutil.Process(self.process.pid)
        self.started_cpu = self._idle.get(timeout=PATIENCE_SECONDS)
        """Seconds of processor time until it asked for its first event: what Lambda calls its initialisation."""

    def send(self, event: Any) -> Answer:
        """Have an event handled, until the function asks for the next one."""
        before = self._cpu()
        self._events.put((str(uuid.uuid4()), event))
        value, failed = self._ended.get(timeout=PATIENCE_SECONDS)
        return Answer(value, failed, self._idle.get(timeout=PATIENCE_SECONDS) - before)

    @property
    def peak_mib(self) -> float:
        """The most memory that it had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024

    def end(self) -> None:
        """End the instance."""
        self.process.kill()
        self.process.wait()
        self._server.shutdown()
        self._server.server_close()

    def _cpu(self) -> float:
        found = self._seen.cpu_times()
        return found.user + found.system

    # Of the Runtime API's threads
    def next_event(self) -> tuple[str, Any]:
        self._idle.put(self._cpu())
        return self._events.get()

    def ended(self, value: Any, *, failed: bool) -> None:
        self._ended.put((value, failed))


class _RuntimeApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    function: Function

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        request_id, event = self.function.next_event()
        body = json.dumps(event).encode()
        self._answer(
            200,
            body,
            {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 900) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:qkdplatform-dev",
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                "Content-Type": "application/json",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        failed = self.path.endswith("/error")
        self._answer(202, b'{"status":"OK"}\n', {"Content-Type": "application/json"})
        if self.path == f"{BEGIN}init/error":
            self.function._idle.put(float("nan"))
        self.function.ended(json.loads(body or b"null"), failed=failed)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def started(
    folders: Sequence[str], environment: Mapping[str, str], handler: str = HANDLER
) -> Iterator[Function]:
    """An instance that lives as long as the block."""
    function = Function(folders, environment, handler)
    try:
        yield function
    finally:
        function.end()
