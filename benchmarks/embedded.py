"""The embedded AWS with many rows: start, pages, overview, pauses, memory. BENCHMARK_ROWS (100,000) in each table."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import requests

from apps.stack import layout
from apps.stack.configuration import ROOT, Configuration
from benchmarks.report import table
from benchmarks.whole import Client
from tests.running import Run

ROWS = int(os.environ.get("BENCHMARK_ROWS", "100000"))
PAGES = ("files", "jobs", "audit", "files?owner=me", "audit?file=00000000-0000-0000-0000-000000000001")
TURNS = 20
PAUSE_SECONDS = 0.02
COMPACTION_SECONDS = 120.0


def main() -> None:
    """Fill a platform, start it again, and measure."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        with running(Path(folder) / "local") as (first, _):
            pass
        filled = timed(lambda: fill(first))
        without = start_without_lists(first.folder)
        with running(first.folder) as (second, started):
            measure(second, filled, started, without)


def start_without_lists(folder: Path) -> float:
    """Seconds of a start that has to make the lists of all indexes, and keeps them for the next one."""
    kept, deadline = folder / "aws" / "dynamodb.lists", time.monotonic() + COMPACTION_SECONDS
    kept.unlink(missing_ok=True)
    with running(folder) as (_, started):
        while not kept.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{kept} was not written")
            time.sleep(0.2)
    return started


@contextmanager
def running(folder: Path) -> Iterator[tuple[Run, float]]:
    """A platform that ends with the block, and the seconds that it took to be ready."""
    run = Run(folder)
    try:
        yield run, timed(run.ready)
    finally:
        run.process.terminate()
        run.ended()
        run.close()


def fill(run: Run, *more: str) -> None:
    """Write the rows in the environment of the platform, which has ended; ``more`` says of what else."""
    own = {"LOCAL_DIR": str(run.folder), "PORT": str(run.port), "AWS_PORT": str(run.aws_port)}
    configuration = Configuration.read(own)
    environment = configuration.environment(os.environ, layout.own_secrets(run.folder))
    command = [
        sys.executable,
        "-m",
        "benchmarks.many_rows",
        str(run.folder / "aws" / "dynamodb.json"),
        str(ROWS),
        *more,
    ]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def measure(run: Run, filled: float, started: float, without: float) -> None:
    """Print what was measured, and what is wanted."""
    client = Client(run)
    rows: list[tuple[object, ...]] = [
        ("rows written into the snapshot", f"{3 * ROWS / filled:.0f}/s", ""),
        ("start to ready", f"{started:.1f} s", "≤ 10 s"),
        ("start to ready, without kept lists", f"{without:.1f} s", ""),
    ]
    for path in PAGES:
        taken = sorted(timed(lambda path=path: client.get(path)) for _ in range(TURNS))  # type: ignore[misc]
        rows.append((f"page `{path[:24]}`", f"{statistics.median(taken) * 1000:.0f} ms", "≤ 300 ms"))
    rows.append(("the tenth page of files", f"{deep_page(client) * 1000:.0f} ms", "≤ 300 ms"))
    rows.append(("overview", f"{overview(run) * 1000:.0f} ms", "≤ 500 ms"))
    longest = pauses_while_compacting(run)
    rows.append(("longest pause while the journal is compacted", f"{longest * 1000:.0f} ms", "≤ 500 ms"))
    rows.append(("memory of the embedded AWS", f"{memory(run) / 2**20:.0f} MiB", "≤ 1,024 MiB"))
    table(f"{ROWS:,} files, jobs and entries on the embedded AWS", ["", "measured", "wanted"], rows)


def deep_page(client: Client) -> float:
    """Seconds that the tenth page takes."""
    path = "files"
    for _ in range(9):
        path = f"files?cursor={client.get(path)['next']}"
    return timed(lambda: client.get(path))


def overview(run: Run) -> float:
    """Seconds of the console's first page, signed in."""
    made = json.loads((run.folder / "first-run.json").read_text())
    session = requests.Session()
    url = f"http://127.0.0.1:{run.port}/admin"
    entrance = f"http://127.0.0.1:{run.port}/accounts/login/"
    session.get(entrance, timeout=60)
    form = {"login": made["user"], "password": made["password"], "next": "/admin/"}
    form["csrfmiddlewaretoken"] = session.cookies["csrftoken"]
    answer = session.post(entrance, data=form, headers={"Referer": entrance}, timeout=60)
    answer.raise_for_status()
    if not answer.url.endswith("/admin/"):
        raise ValueError(f"Signing in leads to {answer.url}.")
    return statistics.median(timed(lambda: session.get(f"{url}/", timeout=60)) for _ in range(TURNS))


def memory(run: Run) -> int:
    """Bytes that the embedded AWS holds."""
    return int(run.children()["aws"].memory_info().rss)


def pauses_while_compacting(run: Run) -> float:
    """The longest that a GetItem took, from now until the journal was compacted once more."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{run.aws_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the embedded AWS knows no other
    )
    folder = run.folder / "aws"
    seen = (folder / "dynamodb.json").stat().st_mtime_ns if (folder / "dynamodb.json").exists() else 0
    longest, deadline = 0.0, time.monotonic() + COMPACTION_SECONDS
    with writing(client):
        while time.monotonic() < deadline:
            longest = max(longest, timed(lambda: _get(client)))
            time.sleep(PAUSE_SECONDS)
            if (folder / "dynamodb.json").exists() and (folder / "dynamodb.json").stat().st_mtime_ns != seen:
                return longest
    raise TimeoutError("the journal was not compacted")


def _get(client: object) -> None:
    client.get_item(TableName="qkd-local-jobs", Key={"job_id": {"S": "none"}})  # type: ignore[attr-defined]


@contextmanager
def writing(client: object) -> Iterator[None]:
    """Write meanwhile, so that the journal grows."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            item = {"job_id": {"S": f"filler-{number % 100}"}, "body": {"S": "x" * 100_000}}
            client.put_item(TableName="qkd-local-jobs", Item=item)  # type: ignore[attr-defined]
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def timed(do: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
