"""Where the time of an upload goes: the pipeline on a running embedded AWS, each of its calls timed.

    python -m benchmarks.steps

Run by ``benchmarks.whole`` with the environment of ``make run``. The objects lie in a bucket without notifications,
so that nobody else takes them. Prints JSON: for each size the milliseconds of one upload, step by step.
"""

import json
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import django

django.setup()

from botocore.client import BaseClient
from django.conf import settings

from apps.audit.records import system
from apps.common.aws import client
from apps.files.bodies import reader
from apps.files.bodies.objects import ObjectRef
from apps.files.uploads import pipeline

KIB, MIB = 2**10, 2**20
SIZES = {10 * KIB: 60, MIB: 30, 10 * MIB: 12, 100 * MIB: 3}  # and how often
ACTOR = system("benchmark")


class Steps:
    """Seconds by step. Steps in other threads than the pipeline's own overlap with it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._main = threading.current_thread()

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        beside = "" if threading.current_thread() is self._main else " (beside)"
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name + beside] += time.perf_counter() - started
            self.calls[name + beside] += 1

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Every AWS call, and every read of a body, is a step."""
        call, readinto = BaseClient._make_api_call, reader.ObjectSource.readinto  # type: ignore[attr-defined]  # noqa: SLF001 - the one place that all calls pass

        def called(one: Any, operation: str, arguments: dict[str, Any]) -> Any:
            with self.timed(operation):
                return call(one, operation, arguments)

        def read(one: Any, buffer: memoryview) -> int:
            with self.timed("read of the body"):
                return readinto(one, buffer)

        with (
            mock.patch.object(BaseClient, "_make_api_call", called),
            mock.patch.object(reader.ObjectSource, "readinto", read),
        ):
            yield


def measured(size: int, times: int) -> dict[str, Any]:
    """Milliseconds of one upload of this size, the mean of several."""
    content, steps, wall, cpu = os.urandom(size), Steps(), 0.0, 0.0
    for number in range(times + 1):
        key = f"steps/{size}/{number}"
        client("s3").put_object(Bucket=settings.DOWNLOADS_BUCKET, Key=key, Body=content)
        if not number:  # the first one fills caches and opens connections
            pipeline.encrypt_uploaded(ObjectRef(settings.DOWNLOADS_BUCKET, key), actor=ACTOR)
            continue
        with steps.watching():
            started, used = time.perf_counter(), time.process_time()
            pipeline.encrypt_uploaded(ObjectRef(settings.DOWNLOADS_BUCKET, key), actor=ACTOR)
            wall, cpu = wall + time.perf_counter() - started, cpu + time.process_time() - used
    own = wall - sum(seconds for name, seconds in steps.seconds.items() if not name.endswith("(beside)"))
    found = {name: 1000 * seconds / times for name, seconds in sorted(steps.seconds.items())}
    return {
        "size": size,
        "wall": 1000 * wall / times,
        "cpu": 1000 * cpu / times,
        "own": 1000 * own / times,
        "steps": found,
        "calls": {name: count / times for name, count in steps.calls.items()},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps([measured(size, times) for size, times in SIZES.items()]))
