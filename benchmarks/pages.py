"""What the console's pages take over many rows: calls to AWS, bytes, milliseconds.

    python -m benchmarks.pages     BENCHMARK_ROWS (100,000) files, jobs, entries and sessions

They are made for an administrator in a process of its own, in the environment of the platform that runs, so that its
calls can be counted. Calls and bytes are the same however busy the machine is; milliseconds are not.
"""

import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.embedded import ROWS, fill, running, start_without_lists
from benchmarks.report import load, machine, table
from benchmarks.start import in_its_environment
from benchmarks.whole import Client
from tests.running import Run

TURNS = 7
DEEP = 10  # the page of a list that is reached by "Older"
ONE_QUERY = 1  # of an index that holds keys only, and a BatchGetItem of the rows
OVERVIEW = 12  # without those
MOST_KIB = 500
NEWEST = 20  # jobs, those of the day among them
QUIET_SECONDS = 15.0  # longer than the schedules take to begin a job
IDLE, LOOK_SECONDS, SETTLED_SECONDS = 0.3, 5.0, 60.0  # of a core, over so long; and at most so long
LISTS = {
    "files": "files/file",
    "sessions": "qkd_sessions/session",
    "detections": "detections/detection",
    "jobs": "jobs/job",
    "entries": "audit/entry",
    "pool keys": "keys/poolkey",
    "API keys": "access/apikey",
    "links": "links/link",
}
FILTERED = {
    "files of one status": "files/file/?status=encrypted",
    "files by the beginning of a name": "files/file/?name=document%20999",
    "sessions that were tapped": "qkd_sessions/session/?status=compromised",
    "entries about one file": "audit/entry/?file=00000000-0000-0000-0000-000000000001",
}


class Unexpected(Exception):
    """A page answers otherwise than 200."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one page took: the first time in this process, and then."""

    name: str
    calls: Counter[str]
    size: int
    first: float
    median: float
    cpu: float
    most: int | None = None

    def row(self) -> tuple[object, ...]:
        """The page as a row of the table."""
        asked = sum(self.calls.values()) - self.calls["BatchGetItem"]
        wanted = "" if self.most is None else f" (≤ {self.most}{'' if asked <= self.most else ': too many'})"
        kib = f"{self.size / 1024:.0f}{'' if self.size <= MOST_KIB * 1024 else ': too large'}"
        milliseconds = (f"{seconds * 1000:.0f}" for seconds in (self.first, self.median, self.cpu))
        return (self.name, f"{asked}{wanted}", self.calls["BatchGetItem"], kib, *milliseconds)


def main() -> None:
    """Fill a platform, start it again, and have the pages made."""
    print(f"{machine()}; {load()}", flush=True)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        with running(Path(folder) / "local") as (first, _):
            pass
        fill(first, "sessions")
        start_without_lists(first.folder)
        with running(first.folder) as (second, _):
            quieten(Client(second))
            settle(second)
            print(in_its_environment(second, "inside", str(second.port), module="benchmarks.pages"))
    print(load())


def quieten(client: Client) -> None:
    """Cancel the day's jobs as they begin, until none comes: what they verify here was never written by the platform."""
    quiet, until = time.monotonic(), time.monotonic() + SETTLED_SECONDS
    while time.monotonic() - quiet < QUIET_SECONDS and time.monotonic() < until:
        for job in client.get(f"jobs?limit={NEWEST}")["items"]:
            if job["state"] in {"queued", "running"}:
                client.post(f"jobs/{job['job_id']}/cancel")
                quiet = time.monotonic()
        time.sleep(1)


def settle(run: Run) -> None:
    """Wait until the platform's processes have little to do, a minute at most."""
    processes = list(run.children().values())

    def worked() -> float:
        return sum(sum(one.cpu_times()[:2]) for one in processes)

    before, until = -float("inf"), time.monotonic() + SETTLED_SECONDS
    while (now := worked()) - before > IDLE * LOOK_SECONDS and time.monotonic() < until:
        before = now
        time.sleep(LOOK_SECONDS)


def inside(port: str) -> None:
    """Make each page in this process, and print what it took."""
    import django

    django.setup()
    from django.test import Client as Browser
    from django.test.utils import setup_test_environment

    from apps.access.users import User

    setup_test_environment()  # so that pages tell what they were made of
    client = Browser(headers={"host": f"localhost:{port}"})
    client.force_login(User.objects.filter(is_superuser=True).earliest("date_joined"))
    rows = [row_of(client, *page) for page in pages(client)]
    columns = ("page", "calls to AWS", "and BatchGetItem", "KiB of HTML", "first ms", "median ms", "CPU ms")
    table(f"The console over {ROWS:,} files, jobs, entries and sessions ({load()})", columns, rows)


def pages(client: Any) -> Iterator[tuple[str, str, int | None]]:
    """The pages: how each is called, its address, and the most calls that are wanted of it."""
    yield "overview", "/admin/", OVERVIEW
    yield "overview, renewed", "/admin/dashboard/data/", OVERVIEW
    for name, path in LISTS.items():
        yield f"list of {name}", f"/admin/{path}/", ONE_QUERY
    for name, path in FILTERED.items():
        yield f"list of {name}", f"/admin/{path}", ONE_QUERY
    for name in ("files", "entries"):
        yield f"page {DEEP} of the list of {name}", deep(client, f"/admin/{LISTS[name]}/"), ONE_QUERY
    for name in ("files", "sessions", "jobs", "entries"):
        newest = client.get(f"/admin/{LISTS[name]}/").context["cl"].result_list[0]
        for tab in ("summary", "related", "audit") if name != "entries" else ("summary", "related"):
            address = f"/admin/{LISTS[name]}/{newest.pk}/change/?tab={tab}"
            yield f"one of the {name}, {tab}", address, None
    for name in ("health", "stock", "costs"):
        yield name, f"/admin/page/{name}/", None


def deep(client: Any, address: str) -> str:
    """The address of a page further back in a list."""
    at = address
    for _ in range(DEEP - 1):
        at = address + client.get(at).context["cl"].older
    return at


def row_of(client: Any, name: str, address: str, most: int | None) -> tuple[object, ...]:
    """Make a page, and say what it took; one that is not shown leaves the figures of the others."""
    try:
        return taken(client, name, address, most).row()
    except Unexpected as error:
        return (name, f"{address} is {error}")


def taken(client: Any, name: str, address: str, most: int | None) -> Taken:
    """Make a page, and then again and again."""
    from tests.faults import Call, watched

    calls = Counter[str]()

    def counted(call: Call, aws: Any, operation: str, arguments: dict[str, Any]) -> Any:
        calls[operation] += 1
        return call(aws, operation, arguments)

    def made() -> tuple[float, float, int]:
        wall, cpu = time.perf_counter(), time.process_time()
        answer = client.get(address)
        if answer.status_code != 200:
            raise Unexpected(f"{answer.status_code} {answer.headers.get('Location', '')}")
        return time.perf_counter() - wall, time.process_time() - cpu, len(answer.content)

    first, _, size = made()
    turns = [made()[:2] for _ in range(TURNS)]
    with watched(counted):
        made()
    median, cpu = (statistics.median(figures) for figures in zip(*turns, strict=True))
    return Taken(name, calls, size, first, median, cpu, most)


if __name__ == "__main__":
    inside(sys.argv[2]) if sys.argv[1:2] == ["inside"] else main()
