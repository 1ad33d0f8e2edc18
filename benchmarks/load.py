"""Load on the API: ``python -m benchmarks.load [seconds] [clients] [workers]`` over the embedded stack of `make run`.

Several web processes serve one stack, each counting its AWS calls; as many clients as told send one request after the
other on kept connections. Clients, web processes and the embedded AWS share the machine's cores: the figures say how the
parts of a request relate, and what each costs in calls, not what Lambda and DynamoDB would do.
"""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from apps.stack import testing
from benchmarks.report import load, machine, table
from benchmarks.whole import Client
from tests.running import Run

SETTLE_SECONDS = 0.6  # until the counters of the workers are written
Call = Callable[[requests.Session, str], requests.Response]


def operations(client: Client) -> dict[str, Call]:
    """What is measured: a request on a session, to an address below which the API is."""
    message = {"plaintext": "x" * 1024, "stock": "own"}
    package = client.post("encrypt", message)
    session_id = client.get("qkd/sessions?limit=1")["items"][0]["session_id"]
    number = itertools.count()

    def keyed(session: requests.Session, url: str) -> requests.Response:
        key = {"Idempotency-Key": f"load-{time.time_ns()}-{next(number)}"}
        return session.post(f"{url}/encrypt", json=message, headers=key, timeout=60)

    return {
        "generate": lambda session, url: session.post(
            f"{url}/qkd/generate", json={"key_length": 256}, timeout=60
        ),
        "encrypt": lambda session, url: session.post(f"{url}/encrypt", json=message, timeout=60),
        "encrypt, with Idempotency-Key": keyed,
        "decrypt": lambda session, url: session.post(f"{url}/decrypt", json=package, timeout=60),
        "data key": lambda session, url: session.post(f"{url}/data-keys", json={"stock": "own"}, timeout=60),
        "get a session": lambda session, url: session.get(f"{url}/qkd/session/{session_id}", timeout=60),
    }


@contextmanager
def workers(run: Run, number: int) -> Iterator[tuple[list[str], Callable[[], Counter[str]]]]:
    """More web processes on the stack of a run: their addresses, and a count of their AWS calls until now."""
    environment = run.children()["web"].environ()
    ports, files, started = [], [], []
    for one in range(number):
        ports.append(testing.free_port())
        files.append(run.folder / f"calls-{one}.json")
        command = [
            sys.executable,
            "-m",
            "benchmarks.load_worker",
            "127.0.0.1",
            str(ports[-1]),
            str(files[-1]),
        ]
        started.append(subprocess.Popen(command, env=environment))

    def counted() -> Counter[str]:
        time.sleep(SETTLE_SECONDS)
        return sum((Counter(json.loads(file.read_text())) for file in files), Counter())

    try:
        for port in ports:
            _await(f"http://127.0.0.1:{port}/api/v1/health")
        yield [f"http://127.0.0.1:{port}/api/v1" for port in ports], counted
    finally:
        for process in started:  # nothing of theirs is worth waiting for
            process.kill()
            process.wait()


def _await(url: str) -> None:
    for _ in range(300):
        try:
            requests.get(url, timeout=60)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


def measured(
    call: Call, urls: list[str], key: str, *, clients: int, seconds: float
) -> tuple[list[float], Counter[int]]:
    """Milliseconds of each request, and how many ended with which status."""
    until = time.monotonic() + seconds
    found: list[float] = []
    statuses: Counter[int] = Counter()

    def send(url: str) -> None:
        with requests.Session() as session:
            session.headers["X-API-Key"] = key
            while time.monotonic() < until:
                started = time.perf_counter()
                answer = call(session, url)
                found.append((time.perf_counter() - started) * 1000)
                statuses[answer.status_code] += 1

    threads = [threading.Thread(target=send, args=(urls[n % len(urls)],)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found, statuses


def rows(run: Run, *, seconds: float, clients: int, number: int) -> Iterator[list[str]]:
    """One row for each operation: cold is the first request of the workers, warm what follows."""
    client = Client(run)
    for _ in range(4):  # 128 quantum keys a session, 16 sessions
        client.stocked()
    print("stocked", flush=True)
    key = str(client.session.headers["X-API-Key"])
    for name, call in operations(client).items():
        with workers(run, number) as (urls, counted):
            before = counted()
            cold = [_timed(call, url, key) for url in urls]
            between = counted()
            times, statuses = measured(call, urls, key, clients=clients, seconds=seconds)
            calls = counted() - between
        cuts = statistics.quantiles(times, n=100)
        errors = sum(count for status, count in statuses.items() if status >= 400)
        yield [
            name,
            f"{len(times) / seconds:.0f}",
            f"{cuts[49]:.0f} / {cuts[94]:.0f} / {cuts[98]:.0f}",
            f"{max(cold):.0f}",
            str(errors),
            f"{calls.total() / len(times):.2f}",
            f"{(between - before).total() / len(urls):.1f}",
            ", ".join(
                f"{call.partition('.')[2]} {count / len(times):.2f}" for call, count in calls.most_common(4)
            ),
        ]


def _timed(call: Call, url: str, key: str) -> float:
    with requests.Session() as session:
        session.headers["X-API-Key"] = key
        started = time.perf_counter()
        call(session, url).raise_for_status()
        return (time.perf_counter() - started) * 1000


def main() -> None:
    seconds, clients, number = (int(text) for text in [*sys.argv[1:], "10", "8", "2"][:3])
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        try:
            run.ready()
            head = [
                "operation",
                "requests/s",
                "p50 / p95 / p99 ms",
                "cold ms",
                "errors",
                "calls",
                "calls, cold",
                "warm by name",
            ]
            print(f"{machine()}; {clients} clients, {number} web processes, {seconds} s each; {load()}")
            found = []
            for row in rows(run, seconds=seconds, clients=clients, number=number):
                print(*row, sep=" | ", flush=True)  # what is known even where the rest is not waited for
                found.append(row)
            table("Load on the API", head, found)
        finally:
            run.process.terminate()
            run.ended()


if __name__ == "__main__":
    main()
