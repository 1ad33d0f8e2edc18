"""Encryption of bodies beside the bare cipher and beside other libraries, in the same run, on one core."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.cobblestone import Cobblestone256Encryptor
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305

from benchmarks.report import table
from benchmarks.streams import SIZES
from qkdseal import PIECE_SIZE, Header, generate_key_pair, open_message, seal_message

ROOT = Path(__file__).resolve().parent.parent
PEERS = {
    "aws": ("AWS Encryption SDK 4.0.7", "aws-encryption-sdk==4.0.7"),
    "aws-large": ("AWS Encryption SDK 4.0.7, frames of 1 MiB", "aws-encryption-sdk==4.0.7"),
    "tink": ("Tink streaming AEAD 1.16.1", "tink==1.16.1"),
    "age": ("age (pyrage 1.4.0)", "pyrage==1.4.0"),
}
OURS = {
    "bare": "bare AES-256-GCM, 64 KiB",
    "ours": "this platform",
    "digest": "this platform + SHA-256, one thread",
}
DIRECTIONS = ("encrypt", "decrypt")
LABELS = ["1 KiB", "1 MiB", "64 MiB", "1 GiB"]
ROUNDS = 3  # of ours and the bare cipher, one after the other, so that both see the machine's best
REPEATS = 5
GIB = 2**30
PEER_SIZES = SIZES[:-1]  # at the largest one some of them take minutes, and are no faster than before
PEER_CPU_SECONDS = 120  # and no longer than this each
KILLED = (-9, -24, 128 + 9, 128 + 24)  # SIGKILL and SIGXCPU, of the program or by its shell

Result = dict[str, Any] | str
"""What was measured, or why there is nothing."""


def bodies() -> None:
    """Compare throughput and memory of bodies of several sizes, each implementation in a process of its own."""
    found: dict[str, Any] = {}
    pythons: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name in OURS:
                found[name] = _better(found.get(name), _measure(name, sys.executable, folder, SIZES))
        for name, (_, package) in PEERS.items():
            if package not in pythons:
                pythons[package] = _environment(Path(folder) / f"{name}-environment", package)
            python = pythons[package]
            found[name] = _measure(name, python, folder, PEER_SIZES) if python else f"no {package}"
    for direction in DIRECTIONS:
        rows = [[label, *_speeds(found[name], direction)] for name, label in _labels().items()]
        table(f"Bodies, {direction}, GB/s of CPU", ["", *LABELS], rows)
    shares = [[direction, *_shares(found["ours"], found["bare"], direction)] for direction in DIRECTIONS]
    table("This platform, of the bare cipher's speed", ["", *LABELS], shares)
    rows = [[label, *_memory(found[name])] for name, label in _labels().items()]
    table("Bodies, peak memory above idle, MiB", ["", *LABELS], rows)


def _labels() -> dict[str, str]:
    return OURS | {name: label for name, (label, _) in PEERS.items()}


def _environment(place: Path, package: str) -> str | None:
    """Make an environment with one other library; return its Python, or None if the library cannot be installed."""
    uv = [sys.executable, "-m", "uv"]
    if subprocess.run(
        [*uv, "venv", "--quiet", "--python", sys.executable, str(place)], check=False
    ).returncode:
        return None
    python = str(place / "bin" / "python")
    command = [*uv, "pip", "install", "--quiet", "--python", python, package]
    return python if subprocess.run(command, check=False).returncode == 0 else None


def _measure(name: str, python: str, folder: str, sizes: Sequence[int]) -> Result:
    limit = f'ulimit -t {PEER_CPU_SECONDS} && exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", limit, "limited", python, str(ROOT / "benchmarks" / "streams.py"), name, folder]
        + [str(size) for size in sizes],
        env=os.environ | {"PYTHONPATH": str(ROOT) if name in OURS else ""},
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        return f"over {PEER_CPU_SECONDS} s" if done.returncode in KILLED else f"failed ({done.returncode})"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _better(first: Result | None, second: Result) -> Result:
    """The least time and the most memory of two runs."""
    if first is None or isinstance(second, str) or isinstance(first, str):
        return second if first is None else first
    for size, values in second["sizes"].items():
        other = first["sizes"][size]
        values.update({direction: min(values[direction], other[direction]) for direction in DIRECTIONS})
        values["peak"] = max(values["peak"] - second["idle"], other["peak"] - first["idle"]) + second["idle"]
    return second


def _speeds(result: Result, direction: str) -> list[str]:
    return _cells(result, lambda size, found, _: f"{size / found[direction] / 1e9:.3g}")


def _shares(ours: Result, bare: Result, direction: str) -> list[str]:
    if isinstance(bare, str):
        return [bare] * len(SIZES)
    return _cells(
        ours, lambda size, found, _: f"{bare['sizes'][str(size)][direction] / found[direction]:.0%}"
    )


def _memory(result: Result) -> list[str]:
    return _cells(result, lambda _, found, idle: f"{(found['peak'] - idle) / 2**20:.1f}")


def _cells(result: Result, shown: Callable[[int, dict[str, Any], int], str]) -> list[str]:
    """Return a cell for each size, or why there is nothing to show."""
    if isinstance(result, str):
        return [result] * len(SIZES)
    measured = [result["sizes"].get(str(size)) for size in SIZES]
    return [
        "not tried" if one is None else shown(size, one, result["idle"])
        for size, one in zip(SIZES, measured, strict=True)
    ]


def pipeline() -> None:
    """Measure uploads through the whole pipeline, over an S3 that keeps nothing, and where their CPU goes."""
    rows = []
    for size, label in ((64 * 2**20, "64 MiB"), (GIB, "1 GiB")):
        runs = [_run_pipeline(size) for _ in range(REPEATS)]
        wall, cpu = (min(run[name] for run in runs) for name in ("seconds", "cpu_seconds"))
        memory = max(run["above_idle"] for run in runs)
        speeds = [f"{size / seconds / 1e9:.2f}" for seconds in (wall, cpu)]
        rows.append([label, *speeds, f"{memory / 2**20:.1f}"])
    header = ["", "GB/s of wall-clock", "GB/s of CPU, all threads", "memory above idle, MiB"]
    table("Uploads: read, encrypt, one digest, write", header, rows)
    _parts(cpu)


def _parts(whole: float) -> None:
    """Measure the CPU seconds that each step of the pipeline takes for 1 GiB."""
    add: Callable[[bytes], object] = hashlib.sha256().update
    piece = bytes(PIECE_SIZE)
    count = GIB // len(piece)
    encryptor, sealed = Cobblestone256Encryptor(bytes(32), b""), bytearray(len(piece) + 4096)
    parts = {
        "AES-256-GCM (Cobblestone-256)": best(
            lambda: [encryptor.update_into(piece, sealed) for _ in range(count)]
        ),
        "SHA-256 of the plaintext": best(lambda: [add(piece) for _ in range(count)]),
    }
    parts["the rest: copies, threads, DynamoDB in process"] = whole - sum(parts.values())
    rows = [[name, f"{seconds:.2f}", f"{seconds / whole:.0%}"] for name, seconds in parts.items()]
    table("Where the CPU of 1 GiB goes", ["", "seconds", "share"], rows)
    poly1305 = Poly1305(bytes(32))
    blake2b = hashlib.blake2b(key=bytes(32))
    bare, nonce, target = AESGCM(bytes(32)), bytes(12), bytearray(len(piece) + 16)
    others = {
        "bare AES-256-GCM over one buffer, nothing read or written": lambda data: bare.encrypt_into(
            nonce, data, None, target
        ),
        "BLAKE2b, keyed": blake2b.update,
        "Poly1305": poly1305.update,
        "CRC-32": zlib.crc32,
    }
    rows = [
        [name, f"{best(lambda add=add: [add(piece) for _ in range(count)]):.2f}"]  # type: ignore[misc]
        for name, add in others.items()
    ]
    table("For comparison, 1 GiB", ["", "seconds"], rows)


def _run_pipeline(size: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.files.streaming", str(size)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def best(work: Callable[[], object]) -> float:
    """Run ``work`` a few times; return the seconds of CPU of the fastest run."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def messages() -> None:
    """Measure the CPU of a message of 1 KiB: X-Wing, HKDF and AES-256-GCM."""
    pair, quantum_key, text = generate_key_pair(), os.urandom(32), os.urandom(1024)
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
    """Print all tables."""
    bodies()
    pipeline()
    messages()
