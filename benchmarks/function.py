"""The package as Lambda runs it: what a start takes, and what memory size costs. ``python -m benchmarks.function``.

Needs build/package, which ``make package`` makes, the embedded AWS, and the package index once for Lambda's runtime client.
A start is measured in processor seconds of its process, several times; on a quiet core these are the seconds it takes.

Duration by memory size is computed, not measured: Lambda gives processor time in proportion to memory, one core at
1,769 MB (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), and one thread uses one core at most. What is
waited for (AWS's answers) is not in it: it is the same at every size, and billed by memory.
"""

import json
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from apps.stack.configuration import ROOT
from benchmarks.report import load, machine, table
from tests.function import Function, runtime_of, started
from tests.stage import REFILL, embedded_stage, filled, request

STARTS = int(os.environ.get("BENCHMARK_STARTS", "5"))
TURNS = 20
CORE_MB = 1_769
SIZES = (512, 1_024, 1_769, 3_008)
# us-east-1, x86_64: aws.amazon.com/lambda/pricing, read in November 2025
GB_SECOND, CALL = 0.0000166667, 0.0000002
Folders = Sequence[str]
Environment = Mapping[str, str]


def main() -> None:
    """Print both tables."""
    package = ROOT / "build" / "package"
    if not package.exists():
        raise SystemExit("build/package is missing: make package")
    print(f"{machine()}; {load()}")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as place:
        folder = Path(place)
        folders = [str(package), *runtime_of(folder / "runtime")]
        with embedded_stage(folder) as environment:
            with started(folders, environment) as function:
                key = filled(function)
            starts(folders, environment, key)
            sizes(folders, environment, key)


def starts(folders: Folders, environment: Environment, key: str) -> None:
    """Seconds of processor time from nothing to the first answer, of health and of a message."""
    events = {
        "`/health`": request("GET", "/api/v1/health"),
        "`/encrypt`": request("POST", "/api/v1/encrypt", key=key, body='{"plaintext": "hello"}'),
    }
    rows = []
    for name, event in events.items():
        begun, whole = [], []
        for _ in range(STARTS):
            with started(folders, environment) as function:
                answer = function.send(event)
                if answer.value["statusCode"] != 200:
                    raise ValueError(answer.value["body"])
                begun.append(function.started_cpu)
                whole.append(function.started_cpu + answer.cpu_seconds)
        cells = (
            f"{statistics.median(seen):.2f} ({min(seen):.2f} to {max(seen):.2f})" for seen in (begun, whole)
        )
        rows.append((name, *cells))
    header = ("first event", "until it asks for an event, s of CPU", "until the answer is sent, s of CPU")
    table(f"Cold starts, {STARTS} of each: median (least to most)", header, rows)


def sizes(folders: Folders, environment: Environment, key: str) -> None:
    """Duration and cost by memory size, from processor seconds of warm calls; and the most memory that they took."""

    def post(path: str, body: str) -> Callable[[Function], float]:
        event = request("POST", f"/api/v1/{path}", key=key, body=body)
        return lambda function: function.send(event).cpu_seconds

    session = '{"key_length": 256, "error_rate": 0.02}'
    operations = {
        "encrypt a message of 1 KiB": post("encrypt", json.dumps({"plaintext": "x" * 1024})),
        "generate 256 bits": post("qkd/generate", session),
        "worker: the schedule `refill`": lambda function: function.send(REFILL).cpu_seconds,
    }
    rows = []
    for name, operation in operations.items():
        with started(folders, environment) as function:
            first = operation(function)
            seconds = statistics.median(operation(function) for _ in range(TURNS))
            rows.append((name, f"{first:.2f}", f"{seconds:.3f}", f"{function.peak_mib:.0f}", *costs(seconds)))
    header = ["operation", "first, s of CPU", "warm, s of CPU", "peak, MiB"]
    header += [f"{size:,} MB: s; USD a million" for size in SIZES]
    table("Memory size, time and cost, without what is waited for", header, rows)


def costs(seconds: float) -> list[str]:
    """Duration at each size, and dollars of a million calls."""
    found = []
    for size in SIZES:
        lasts = seconds * max(1.0, CORE_MB / size)
        dollars = 1_000_000 * (lasts * size / 1024 * GB_SECOND + CALL)
        found.append(f"{lasts:.3f}; {dollars:.2f}")
    return found


if __name__ == "__main__":
    main()
