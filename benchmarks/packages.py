"""Encryption of a body beside the bare cipher, in the same run, on one core."""

import io
import os
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.files.body import decrypt_stream, encrypt_stream
from apps.files.header import Header
from apps.files.package import open_message, seal_message
from apps.keys import kem
from benchmarks.report import table

BUFFER = 64 * 1024
REPEATS = 5


class Nowhere(io.RawIOBase):
    """A sink that costs nothing."""

    def write(self, data: object, /) -> int:
        return memoryview(data).nbytes  # type: ignore[arg-type]


def best(work: Callable[[], object]) -> float:
    """The fastest of a few runs, in seconds of CPU."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def bare(size: int) -> Callable[[], None]:
    """``AESGCM.encrypt_into`` over buffers of 64 KiB."""
    cipher, source, target = AESGCM(os.urandom(32)), os.urandom(BUFFER), bytearray(BUFFER + 16)

    def work() -> None:
        for number in range(size // BUFFER):
            cipher.encrypt_into(number.to_bytes(12, "big"), source, None, target)

    return work


def bodies() -> None:
    """Throughput of bodies of several sizes."""
    rows = []
    key, context = os.urandom(32), b"benchmark"
    for megabytes in (1, 64, 256):
        size = megabytes * 2**20
        plaintext, sealed = os.urandom(size), io.BytesIO()
        encrypt_stream(io.BytesIO(plaintext), sealed, key=key, context=context)
        speeds = [
            size / best(work) / 1e9
            for work in (
                bare(size),
                lambda text=plaintext: encrypt_stream(
                    io.BytesIO(text), Nowhere(), key=key, context=context, hashed=False
                ),
                lambda text=plaintext: encrypt_stream(io.BytesIO(text), Nowhere(), key=key, context=context),
                lambda body=sealed: decrypt_stream(
                    io.BytesIO(body.getvalue()), Nowhere(), key=key, context=context
                ),
            )
        ]
        rows.append([f"{megabytes} MiB", *(f"{speed:.2f}" for speed in speeds)])
    header = ["size", "bare AES-256-GCM", "encrypt", "encrypt + SHA-256", "decrypt"]
    table("Bodies, GB/s of CPU, one core", header, rows)


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
    """Both tables."""
    bodies()
    messages()
