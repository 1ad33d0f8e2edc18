"""Encryption of bodies beside the bare cipher and beside other libraries, in the same run, on one core."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.files.header import Header
from apps.files.package import open_message, seal_message
from apps.keys import kem
from benchmarks.report import table
from benchmarks.streams import SIZES

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("aws-encryption-sdk==4.0.7", "tink==1.16.1", "pyrage==1.4.0")
NAMES = {
    "bare": "bare AES-256-GCM, 64 KiB",
    "ours": "this platform",
    "digests": "this platform + SHA-256, one thread",
    "aws": "AWS Encryption SDK 4.0",
    "tink": "Tink streaming AEAD 1.16",
    "age": "age (pyrage 1.4)",
}
OURS = {"bare", "ours", "digests"}
REPEATS = 5


def bodies() -> None:
    """Throughput and memory of bodies of several sizes, each implementation in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        peers = _peers(Path(folder))
        found = {name: _measured(name, sys.executable if name in OURS else peers, folder) for name in NAMES}
    labels = ["1 KiB", "1 MiB", "64 MiB", "1 GiB"]
    for direction in ("encrypt", "decrypt"):
        rows = [[NAMES[name], *_speeds(result, direction)] for name, result in found.items()]
        table(f"Bodies, {direction}, GB/s of CPU", ["", *labels], rows)
    rows = [[NAMES[name], *_memory(result)] for name, result in found.items()]
    table("Bodies, peak memory above idle, MiB", ["", *labels], rows)


def _peers(folder: Path) -> str:
    """The Python of an environment with the other libraries."""
    uv, place = [sys.executable, "-m", "uv"], folder / "peers"
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(place)], check=True)
    python = str(place / "bin" / "python")
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", python, *PEERS], check=True)
    return python


def _measured(name: str, python: str, folder: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, str(ROOT / "benchmarks" / "streams.py"), name, folder],
        env=os.environ | {"PYTHONPATH": str(ROOT) if name in OURS else ""},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _speeds(result: dict[str, Any], direction: str) -> list[str]:
    return [f"{size / result['sizes'][str(size)][direction] / 1e9:.3g}" for size in SIZES]


def _memory(result: dict[str, Any]) -> list[str]:
    return [f"{(result['sizes'][str(size)]['peak'] - result['idle']) / 2**20:.1f}" for size in SIZES]


def pipeline() -> None:
    """An upload of 1 GiB through the whole pipeline, S3 generated and forgotten."""
    command = [sys.executable, "-m", "tests.files.streaming", str(2**30)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    rows = [
        ["wall-clock, GB/s", f"{found['size'] / found['seconds'] / 1e9:.2f}"],
        ["CPU of all threads, GB/s", f"{found['size'] / found['cpu_seconds'] / 1e9:.2f}"],
        ["memory above idle, MiB", f"{found['above_idle'] / 2**20:.1f}"],
    ]
    table("Upload of 1 GiB: read, encrypt, two digests, write", ["", ""], rows)


def best(work: Callable[[], object]) -> float:
    """The fastest of a few runs, in seconds of CPU."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def messages() -> None:
    """CPU of a message of 1 KiB: X-Wing, HKDF, AES-256-GCM and the JSON of the package."""
    pair, quantum_key, text = kem.generate(), os.urandom(32), os.urandom(1024)
    header = Header.of(file_id="benchmark", quantum_key_id="benchmark")

    def seal() -> object:
        return seal_message(
            header, text, pool_key_id="benchmark", pool_public_key=pair.public_key, quantum_key=quantum_key
        )

    package = seal_message(
        header, text, pool_key_id="benchmark", pool_public_key=pair.public_key, quantum_key=quantum_key
    )
    count = 200
    sealing = best(lambda: [seal() for _ in range(count)]) / count
    opening = (
        best(lambda: [open_message(package, seed=pair.seed, quantum_key=quantum_key) for _ in range(count)])
        / count
    )
    table(
        "Messages of 1 KiB",
        ["", "microseconds of CPU"],
        [["seal", f"{sealing * 1e6:.0f}"], ["open", f"{opening * 1e6:.0f}"]],
    )


def main() -> None:
    """All tables."""
    bodies()
    pipeline()
    messages()
