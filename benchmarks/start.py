"""How long ``make run`` takes to be ready over what a bad day left: sessions that nobody judged, and tables of many rows.

    python -m benchmarks.start                 BENCHMARK_PENDING (2,000) sessions beside BENCHMARK_ROWS (100,000) rows

The platform is started, and its relay is stopped, so that sessions that are then written stay pending, with their records
in the stream: copies of one that was run. Before, it gets rows in three tables. It ends, and is started again: ready
first, what is behind is done meanwhile.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path

from apps.stack import layout
from apps.stack.configuration import ROOT, Configuration
from benchmarks.embedded import ROWS, fill, running, start_without_lists, timed
from benchmarks.report import load, machine, table
from tests.running import Run

PENDING = int(os.environ.get("BENCHMARK_PENDING", "2000"))
WATCHED_SECONDS = 60.0


def main() -> None:
    """Leave sessions pending and rows in the tables, start again, and measure."""
    print(f"{machine()}; {load()}")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        with running(Path(folder) / "local") as (first, blank):
            pass
        fill(first)
        start_without_lists(first.folder)
        with running(first.folder) as (writing, _):
            writing.children()["relay"].send_signal(signal.SIGSTOP)
            taken = timed(lambda: in_its_environment(writing, "run", str(PENDING)))
            writing.children()["relay"].send_signal(signal.SIGCONT)
        with running(first.folder) as (second, started):
            left = pending(second)
            began = time.monotonic()
            while (now := pending(second)) and time.monotonic() - began < WATCHED_SECONDS:
                time.sleep(2)
            rows = [
                ("start to ready, without rows", f"{blank:.1f} s"),
                (f"{PENDING:,} pending sessions written", f"{taken:.0f} s"),
                (f"start to ready, with these and {ROWS:,} rows in three tables", f"{started:.1f} s"),
                ("pending when it was ready", f"{left:,}"),
                (f"judged in the {time.monotonic() - began:.0f} s after that", f"{left - now:,}"),
            ]
        table("Start over a backlog (wanted: ready in 10 s)", ("", "measured"), rows)


def pending(run: Run) -> int:
    """How many sessions wait for their verdict."""
    return int(in_its_environment(run, "count"))


def in_its_environment(run: Run, *words: str, module: str = "benchmarks.start") -> str:
    """Run a benchmark's module as a process of the platform."""
    own = {"LOCAL_DIR": str(run.folder), "PORT": str(run.port), "AWS_PORT": str(run.aws_port)}
    environment = Configuration.read(own).environment(os.environ, layout.own_secrets(run.folder))
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def inside(words: list[str]) -> None:
    """What is done in the platform's environment."""
    import django

    django.setup()
    from apps.audit.records import system
    from apps.audit.tagging import tag_row
    from apps.common import clock
    from apps.common.aws import client
    from apps.sessions import services
    from apps.sessions.store import SessionTable

    if words[0] == "run":
        # A study: it is judged as any session, and has no key to keep
        eve = {"kind": "intercept_resend", "fraction": 0.01}
        request = services.GenerateRequest(key_length=128, eavesdropper=eve)
        made = services.generate(request, actor=system("benchmark"))
        with SessionTable.batch_write() as batch:
            for _ in range(int(words[1])):
                copied = replace(made, session_id=str(uuid.uuid4()), timestamp=clock.now(), tag="")
                row = SessionTable.of(copied)
                tag_row(row)
                batch.save(row)
        return
    pages = (
        client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=SessionTable.Meta.table_name,
            FilterExpression="#status = :pending",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":pending": {"S": "pending"}},
            ProjectionExpression="session_id",
        )
    )
    print(sum(page["Count"] for page in pages))


if __name__ == "__main__":
    inside(sys.argv[1:]) if sys.argv[1:] else main()
