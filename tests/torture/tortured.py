"""The tortured platform: started, started again when it ends, and asked over HTTP."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import requests

from apps.stack import layout, testing
from apps.stack.configuration import ROOT, Configuration, commands
from tests.torture.clock import Clock
from tests.torture.supervised import FAULTY_AWS

START_SECONDS = 240.0
AWAY_SECONDS = 120.0
NAMES = {
    str(ROOT / FAULTY_AWS): "aws",
    "apps.stack.web": "web",
    "apps.stack.relay": "relay",
    "--queues": "custody",  # before Celery's other worker, which has no such option
    "celery": "worker",
}


class Platform:
    """One folder, one pair of ports, and as many runs as it takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock(folder.parent)
        self.port, self.aws_port = testing.free_port(), testing.free_port()
        self.url = f"http://127.0.0.1:{self.port}/api/v1"
        self.said: list[str] = []
        self.starts = 0
        self.start()

    @property
    def _own(self) -> dict[str, str]:
        return {"LOCAL_DIR": str(self.folder), "PORT": str(self.port), "AWS_PORT": str(self.aws_port)}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.supervised"],
            cwd=ROOT,
            env=os.environ
            | self._own
            | {"STACK_SCHEDULE_SECONDS": "20", "TORTURE_PREFIX": json.dumps(self.clock.prefix)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.starts += 1
        self._listener = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self._listener.start()
        deadline = time.monotonic() + START_SECONDS
        first_run = self.folder / "first-run.json"  # of a first start; the console answers before it
        while not (self.is_alive() and first_run.exists()):
            assert self.process.poll() is None, self.said[-30:]
            assert time.monotonic() < deadline, self.said[-30:]
            time.sleep(0.2)
        self.key = json.loads(first_run.read_text())["api_key"]

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                self.said.append(line.rstrip())

    def is_alive(self) -> bool:
        """Whether the console answers."""
        try:
            return requests.get(f"{self.url}/health", timeout=2).ok
        except requests.RequestException:
            return False

    def ensure_running(self) -> None:
        """Start it again if it gave up."""
        if self.process.poll() is not None:
            self.start()

    def children(self) -> dict[str, psutil.Process]:
        """What runs of it, by name."""
        found = {}
        for entry in json.loads((self.folder / "children.json").read_text()):
            name = next((name for part, name in NAMES.items() if part in entry["command"]), None)
            if name and psutil.pid_exists(entry["pid"]):
                found[name] = psutil.Process(entry["pid"])
        return found

    def another_worker(self) -> "subprocess.Popen[bytes]":
        """One more of Celery's workers, beside the platform's own."""
        configuration = Configuration.read(self._own)
        with (self.folder.parent / "another-worker.log").open("ab") as log:
            return subprocess.Popen(
                [*self.clock.prefix, *commands(configuration)["worker"]],
                cwd=ROOT,
                env=self.environment(),
                stdout=log,
                stderr=log,
            )

    def beside(
        self, module: str, *arguments: str, seconds: float = 600
    ) -> "subprocess.CompletedProcess[str]":
        """Run a script of ours in the platform's environment, by its clock."""
        return subprocess.run(
            [*self.clock.prefix, sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def call(self, method: str, path: str, body: Any = None, seconds: float = 60) -> requests.Response:
        """Call the API."""
        headers = {"X-API-Key": self.key}
        return requests.request(method, f"{self.url}/{path}", json=body, headers=headers, timeout=seconds)

    def asked(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call the API, again where a part is just being started: whoever reads back waits for it.

        Raises:
            AssertionError: it was not there for two minutes, which says what is there instead.
        """
        deadline = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                answer = self.call(method, path, body)
            except requests.RequestException as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{method} {path}: {error}\n{self.state()}") from error
                self.said.append(f"(torture) {method} {path}: {type(error).__name__}")
            else:
                if answer.status_code not in {429, 502, 503, 504} or time.monotonic() > deadline:
                    return answer
                self.said.append(f"(torture) {method} {path}: {answer.status_code} {answer.text[:200]}")
            self.ensure_running()
            time.sleep(2)

    def state(self) -> str:
        """What there is of it, where nothing answers: its parts, and the last words of those that answer."""
        words = [f"supervisor {self.process.poll()}, parts {sorted(self.children())}", *self.said[-20:]]
        for name in ("web", "aws"):
            log = self.folder / "logs" / f"{name}.log"
            words += [f"{log}:", log.read_text(errors="replace")[-2000:] if log.exists() else "is missing"]
        return "\n".join(words)

    def environment(self) -> dict[str, str]:
        """The platform's, for a command beside it."""
        return Configuration.read(self._own).environment(os.environ, layout.own_secrets(self.folder))

    def managed(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a management command."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)
        self._listener.join(10)
