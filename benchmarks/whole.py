"""The whole platform as ``make run`` starts it: time to ready, requests, uploads."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from apps.stack import layout
from apps.stack.configuration import ROOT, Configuration
from benchmarks.report import table
from tests.running import Run

POLL_SECONDS = 0.1


class Client:
    """Calls with the key of the first run."""

    def __init__(self, run: Run) -> None:
        first = json.loads((run.folder / "first-run.json").read_text())
        self.url = f"http://127.0.0.1:{run.port}/api/v1"
        self.session = requests.Session()
        self.session.headers["X-API-Key"] = first["api_key"]

    def post(self, path: str, body: Any = None) -> Any:
        """A POST that must succeed."""
        answer = self.session.post(f"{self.url}/{path}", json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        """A GET that must succeed."""
        answer = self.session.get(f"{self.url}/{path}", timeout=120)
        answer.raise_for_status()
        return answer.json()

    def stocked(self) -> None:
        """Wait for enough quantum keys, so that none has to be made while uploads are timed."""
        made = [
            self.post("qkd/generate", {"key_length": 32_768, "error_rate": 0.01})["session_id"]
            for _ in range(4)
        ]
        while any(self.get(f"qkd/session/{session_id}")["status"] != "ready" for session_id in made):
            time.sleep(POLL_SECONDS)

    def uploaded(self, content: bytes) -> float:
        """Seconds from the end of the PUT to the file being encrypted."""
        upload = self.post("files", {"name": "benchmark"})
        requests.put(upload["upload_url"], data=content, timeout=120).raise_for_status()
        started = time.perf_counter()
        while self.get(f"files/{upload['file']['file_id']}")["status"] != "encrypted":
            time.sleep(0.02)
        return time.perf_counter() - started

    def many(self, count: int, size: int) -> list[str]:
        """Files and megabytes a second of uploads that wait all at once, PUTs included."""
        content, started = os.urandom(size), time.perf_counter()
        waiting = set()
        for _ in range(count):
            upload = self.post("files", {"name": "benchmark"})
            requests.put(upload["upload_url"], data=content, timeout=120).raise_for_status()
            waiting.add(upload["file"]["file_id"])
        while waiting:
            time.sleep(POLL_SECONDS)
            shown = self.get("files?limit=100")["items"]
            waiting -= {file["file_id"] for file in shown if file["status"] == "encrypted"}
        seconds = time.perf_counter() - started
        return [f"{count / seconds:.1f}", f"{count * size / seconds / 1e6:.1f}"]


def median_ms(work: Callable[[], object], count: int) -> str:
    """Median wall-clock of one call."""
    times = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return f"{statistics.median(times) * 1000:.1f}"


def main() -> None:
    """Start twice, then measure on the second start."""
    with tempfile.TemporaryDirectory() as folder:
        starts = []
        for number in range(2):
            started = time.perf_counter()
            run = Run(Path(folder) / "local")
            run.ready()
            starts.append(time.perf_counter() - started)
            if number == 0:
                run.process.terminate()
                run.ended()
        try:
            client = Client(run)
            client.stocked()
            _measure(client, starts)
            _steps(run)
        finally:
            run.process.terminate()
            run.ended()


def _steps(run: Run) -> None:
    """Where the time of an upload goes, once its event has arrived."""
    told = {"LOCAL_DIR": str(run.folder), "PORT": str(run.port), "AWS_PORT": str(run.aws_port)}
    configuration = Configuration.read(told)
    environment = configuration.environment(os.environ, layout.own_secrets(run.folder))
    command = [sys.executable, "-m", "benchmarks.steps"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment | {"LOG_LEVEL": "WARNING"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout)
    names = sorted({name for one in found for name in one["steps"]}, key=lambda n: ("beside" in n, n))
    rows = [[name, *(_step(one, name) for one in found)] for name in names]
    rows.insert(0, ["own work, and waiting for what runs beside", *(f"{one['own']:.1f}" for one in found)])
    rows.insert(0, ["**from event to record and removal**", *(f"**{one['wall']:.1f}**" for one in found)])
    rows.append(["CPU of this process", *(f"{one['cpu']:.1f}" for one in found)])
    header = ["", *(f"{one['size'] / 2**20:g} MiB" if one["size"] >= 2**20 else "10 KiB" for one in found)]
    table("Where the time of an upload goes, ms (calls)", header, rows)


def _step(one: dict[str, Any], name: str) -> str:
    calls = one["calls"].get(name, 0)
    return f"{one['steps'][name]:.1f} ({calls:g})" if calls else ""


def _measure(client: Client, starts: list[float]) -> None:
    package = client.post("encrypt", {"plaintext": "x" * 1024})
    rows = [
        ["start to ready, first", f"{starts[0] * 1000:.0f}"],
        ["start to ready, again", f"{starts[1] * 1000:.0f}"],
        [
            "POST /qkd/generate, 256 bits",
            median_ms(lambda: client.post("qkd/generate", {"key_length": 256}), 20),
        ],
        ["POST /encrypt, 1 KiB", median_ms(lambda: client.post("encrypt", {"plaintext": "x" * 1024}), 30)],
        ["POST /decrypt, 1 KiB", median_ms(lambda: client.post("decrypt", package), 30)],
        [
            "upload of 1 MiB to encrypted",
            f"{statistics.median(client.uploaded(bytes(2**20)) for _ in range(5)) * 1000:.0f}",
        ],
        ["upload of 100 MiB to encrypted", f"{client.uploaded(bytes(100 * 2**20)) * 1000:.0f}"],
    ]
    table("The platform on the embedded stack", ["", "median ms"], rows)
    table(
        "Uploads from the first PUT to the last record",
        ["", "files/s", "MB/s"],
        [
            ["100 files of 10 KiB", *client.many(100, 10 * 2**10)],
            ["20 files of 10 MiB", *client.many(20, 10 * 2**20)],
        ],
    )
