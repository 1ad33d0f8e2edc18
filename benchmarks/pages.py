"""The console's pages over many rows on the embedded AWS: time, calls to AWS and bytes. BENCHMARK_ROWS in each table.

The platform runs as it does for people; a second process in its environment answers the requests, so that its own time
can be told from waiting: on a busy machine CPU is the figure to compare.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from apps.stack.configuration import ROOT
from benchmarks.embedded import ROWS, environment_of, fill, running
from benchmarks.report import load, table

LIMIT_MS = 300
MAX_BYTES = 500 * 1024


def main() -> None:
    """Fill a platform, start it again, and open its pages."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        with running(Path(folder) / "local") as (first, _):
            pass
        fill(first)
        with running(first.folder) as (run, _):
            command = [sys.executable, "-m", "benchmarks.pages_worker"]
            done = subprocess.run(
                command, cwd=ROOT, env=environment_of(run), check=True, stdout=subprocess.PIPE, text=True
            )
    pages = json.loads(done.stdout.splitlines()[-1])
    rows = [
        (
            one["name"],
            f"{one['wall_ms']:.0f}",
            f"{one['cpu_ms']:.0f}",
            one["calls"],
            f"{one['html'] / 1024:.0f}",
            f"{one['whole'] / 1024:.0f}",
        )
        for one in pages
    ]
    columns = ["page", "ms", "ms of CPU", "calls to AWS", "KiB of HTML", "KiB with all it loads"]
    table(f"{ROWS:,} files, jobs and entries on the embedded AWS ({load()})", columns, rows)
    slow = [one["name"] for one in pages if one["wall_ms"] > LIMIT_MS]
    heavy = [one["name"] for one in pages if one["whole"] > MAX_BYTES]
    print(
        f"Above {LIMIT_MS} ms: {', '.join(slow) or 'none'}. Above {MAX_BYTES // 1024} KiB: {', '.join(heavy) or 'none'}."
    )
