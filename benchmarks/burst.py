"""How late verdicts are after a burst on ``make run``, and what the platform's metrics say of the same run.

    python -m benchmarks.burst                 BENCHMARK_PENDING (2,000) sessions, written as fast as the tables take them

Copies of one session that was run: the stream brings them to the judge, as it would those of a schedule gone wild. Then
a session, a message and a file go through, so that each metric has something to count.
"""

import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import requests

from apps.metrics.catalog import METRICS, Kind
from benchmarks.embedded import running, timed
from benchmarks.report import load, machine, table
from benchmarks.start import PENDING, in_its_environment, pending
from benchmarks.whole import Client
from tests.running import Run

MOST_SECONDS = 600.0
POLL_SECONDS = 5.0
QUANTILES = (0.5, 0.95, 1.0)


def main() -> None:
    """Write the burst, wait for the last verdict, and tell how late each was."""
    print(f"{machine()}; {load()}", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "local") as (run, _),
    ):
        began = time.monotonic()
        written = timed(lambda: in_its_environment(run, "run", str(PENDING)))
        while (left := pending(run)) and time.monotonic() - began < MOST_SECONDS:
            print(f"{time.monotonic() - began:.0f} s: {left:,} wait", flush=True)
            time.sleep(POLL_SECONDS)
        taken = time.monotonic() - began
        lags = json.loads(in_its_environment(run, "lags", module="benchmarks.burst"))
        names = [f"lag of the verdict, {100 * part:g} % within" for part in QUANTILES]
        found = [f"{lags[min(len(lags) - 1, int(part * len(lags)))]:.1f} s" for part in QUANTILES]
        rows = [
            ("sessions written within", f"{written:.1f} s"),
            ("verdicts", f"{len(lags):,}"),
            ("without one at the end", f"{left:,}"),
            ("from the first session to the last verdict", f"{taken:.0f} s"),
            *zip(names, found, strict=True),
        ]
        table(f"A burst of {PENDING:,} sessions ({load()})", ("", "measured"), rows)
        use(Client(run))
        metrics(run)


def use(client: Client) -> None:
    """Do a little of everything."""
    client.stocked()
    client.post("decrypt", client.post("encrypt", {"plaintext": "x"}))
    client.uploaded(bytes(1000))


def metrics(run: Run) -> None:
    """Print each metric of the catalog with its value: of all series together, or how many values a distribution has."""
    key = json.loads((run.folder / "first-run.json").read_text())["api_key"]
    answer = requests.get(f"http://127.0.0.1:{run.port}/metrics", headers={"X-API-Key": key}, timeout=120)
    answer.raise_for_status()
    sums: dict[str, float] = defaultdict(float)
    for line in answer.text.splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            sums[series.partition("{")[0]] += float(value)
    rows = []
    for metric in METRICS:
        ending = {Kind.GAUGE: "", Kind.COUNTER: "_total", Kind.DISTRIBUTION: "_count"}[metric.kind]
        found = sums.get(metric.open_name + ending)
        mean = f", mean {sums[metric.open_name + '_sum'] / found:.3g}" if found and ending == "_count" else ""
        rows.append((metric.name, metric.kind, "none" if found is None else f"{found:,.10g}{mean}"))
    table("Metrics of this run", ("metric", "kind", "value"), rows)


def inside() -> None:
    """Print the seconds from each session to its verdict, sorted, in the platform's environment."""
    import django

    django.setup()
    from apps.detections.store import DetectionTable
    from apps.sessions.store import SessionTable

    made = {row.session_id: row.timestamp for row in SessionTable.scan()}
    print(
        json.dumps(
            sorted((row.detected_at - made[row.session_id]).total_seconds() for row in DetectionTable.scan())
        )
    )


if __name__ == "__main__":
    inside() if sys.argv[1:] else main()
