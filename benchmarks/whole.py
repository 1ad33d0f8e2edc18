"""The whole platform as ``make run`` starts it: time to ready, requests, uploads."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from benchmarks.report import table
from tests.running import Run


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
        content, started = bytes(size), time.perf_counter()
        waiting = set()
        for _ in range(count):
            upload = self.post("files", {"name": "benchmark"})
            requests.put(upload["upload_url"], data=content, timeout=120).raise_for_status()
            waiting.add(upload["file"]["file_id"])
        while waiting:
            waiting = {i for i in waiting if self.get(f"files/{i}")["status"] != "encrypted"}
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
            _measure(Client(run), starts)
        finally:
            run.process.terminate()
            run.ended()


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
