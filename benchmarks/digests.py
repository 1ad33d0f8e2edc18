"""Uploads of 1 GiB with one digest, and with the two of before, in turn: bytes for each second of CPU.

Before, a file had an HMAC of its plaintext and a SHA-256 of its ciphertext. S3 is generated and forgotten.
"""

import contextlib
import hashlib
import hmac
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any
from unittest import mock

from benchmarks.report import table

SIZE = 2**30
ROUNDS = 3


def main() -> None:
    """Run both in turn, each in a process of its own."""
    seconds: dict[str, list[float]] = {"two digests": [], "one digest": []}
    for _ in range(ROUNDS):
        for kind, times in seconds.items():
            command = [sys.executable, "-m", "benchmarks.digests", kind]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            times.append(json.loads(done.stdout)["cpu_seconds"])
    before, now = (sorted(times)[ROUNDS // 2] for times in seconds.values())
    rows = [
        [kind, f"{median:.2f}", f"{min(seconds[kind]):.2f}", f"{SIZE / median / 1e9:.2f}"]
        for kind, median in (("two digests", before), ("one digest", now))
    ]
    header = ["", "s of CPU, median", "s of CPU, least", "GB per s of CPU"]
    table(
        f"Uploads of 1 GiB, {ROUNDS} of each in turn: {before / now:.2f} times as many bytes now",
        header,
        rows,
    )


def one(kind: str) -> None:
    """Upload once, in this process."""
    from tests.files import streaming

    sys.argv = ["", str(SIZE)]
    with two_digests() if kind == "two digests" else contextlib.nullcontext():
        streaming.main()


@contextlib.contextmanager
def two_digests() -> Any:
    """The pipeline as it was: see the module."""
    from apps.files.bodies import encrypted
    from apps.files.bodies.writer import ObjectWriter

    class Digested(ObjectWriter):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self.sha256 = hashlib.sha256()

        def write(self, data: memoryview, /) -> int:
            self.sha256.update(data)
            return super().write(data)

    keyed = SimpleNamespace(sha256=lambda: hmac.new(bytes(32), digestmod="sha256"))
    with (
        mock.patch.object(encrypted, "ObjectWriter", Digested),
        mock.patch.object(encrypted, "hashlib", keyed),
    ):
        yield


if __name__ == "__main__":
    one(sys.argv[1])
