"""The engine beside its peers: the same inputs, one after the other in one run, one core each, the best of three.

python -m benchmarks.engine [simulation] [privacy_amplification] [reconciliation] [cores] [latency]
"""

import hashlib
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import numpy as np

from benchmarks import engine_peers as peers
from benchmarks.report import load, machine, table
from qkd import amplification, bb84, channel, speed
from qkd.attacks import NoAttack
from qkd.bits import Bits
from qkd.channel import Channel
from qkd.classical import ClassicalChannel
from qkd.finite_key import binary_entropy
from qkd.randomness import Randomness
from qkd.reconciliation import local, reconcile
from qkd.reconciliation.bob import Batches
from qkd.worst_case import MAX_SIFTED_BITS

QBERS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.11)
BITS = 1 << 22
REPEATS = 3
CORE_REPEATS = 8
AMPLIFY_REPEATS = 30  # of milliseconds each, which an interrupt doubles

PEERS: dict[str, tuple[Callable[[float, int, int], peers.Figures], int]] = {
    "qkd (PyPI)": (lambda *what: peers.from_pypi("qkd", peers.CASCADE_QKD, *what), 64),
    "cascade-cpp": (peers.cascade_cpp, 16),
    "cascade-python": (peers.cascade_python, 1),
}
"""Software that does Cascade option 8, and how many frames of 2^16 it gets."""


def fastest(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of a few runs."""
    return min(speed.cpu_seconds(work) for _ in range(REPEATS))


def _shown(found: peers.Figures, qber: float) -> str:
    if isinstance(found, str):
        return found
    rate = found["bits"] / max(1e-9, found["seconds"]) / 1e6
    efficiency = found["parities"] / found["bits"] / binary_entropy(qber)
    return f"{rate:.3g} ({efficiency:.4f})"


def ours(kernel: str, qber: float, frame_bits: int, *, low_latency: bool = False) -> dict[str, float]:
    """Our figures for the same work."""
    best = min(
        (
            speed.measure_reconciliation(kernel, qber, frame_bits, BITS, low_latency=low_latency)
            for _ in range(REPEATS)
        ),
        key=lambda found: found[0],
    )
    seconds, result = best
    return {
        "seconds": seconds,
        "parities": result.leaked_bits,
        "bits": BITS,
        "round_trips": result.round_trips,
        "failed": float(np.count_nonzero(~result.verified_frames)),
    }


def of_frames(frame_bits: int) -> None:
    """Cascade on frames with exactly the stated part of errors: Mbit/s, and efficiency."""
    rows = []
    for kernel in ("numba", "numpy"):
        for low_latency in (False, True):
            name = f"this engine, {kernel}" + (", low latency" if low_latency else "")
            cells = [_shown(ours(kernel, qber, frame_bits, low_latency=low_latency), qber) for qber in QBERS]
            rows.append([name, *cells])
    for name, (measure, frames) in PEERS.items():
        number = frames * (1 << 16) // frame_bits
        rows.append([name, *(_shown(measure(qber, frame_bits, number), qber) for qber in QBERS)])
    power = frame_bits.bit_length() - 1
    table(f"Cascade, frames of 2^{power}: Mbit/s (efficiency)", ["", *map("{:.0%}".format, QBERS)], rows)


def cores() -> None:
    """The largest string that a session may have, on one core and on two in turn; wall time, and CPU of all threads.

    Beside it what two threads gain on this machine that share nothing, and which part of the CPU one thread spends alone:
    with both, what could be gained at most.
    """
    bits, qber, rows = MAX_SIFTED_BITS, 0.02, []
    rng = np.random.default_rng(1)
    alice = rng.integers(0, 2, bits, dtype=np.uint8)
    bob = alice ^ (rng.random(bits) < qber).astype(np.uint8)
    for low_latency in (False, True):
        taken: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
        for workers in (1, 2) * (CORE_REPEATS + 1):  # the first pair compiles and warms up
            started, spent = time.perf_counter(), time.process_time()
            with _beside() as together:
                reconcile(alice, bob, qber, seed=1, kernel="numba", low_latency=low_latency, workers=workers)
            used = time.process_time() - spent
            taken[workers].append((time.perf_counter() - started, used, used - together[0]))
        wall, used_by, alone = (
            {workers: min(one[part] for one in found[1:]) for workers, found in taken.items()}
            for part in (0, 1, 2)
        )
        share = alone[1] / used_by[1]
        rows.append(
            [
                "low latency" if low_latency else "standard",
                *(f"{wall[workers]:.3f} s ({used_by[workers]:.3f} s)" for workers in (1, 2)),
                f"{wall[1] / wall[2]:.2f}",
                f"{share:.1%}",
                f"{used_by[1] / (alone[1] + (used_by[2] - alone[1]) / 2):.2f}",
            ]
        )
    title = f"Reconciliation of 2^{bits.bit_length() - 1} bits, QBER {qber:.0%}: wall (CPU), best of {CORE_REPEATS}"
    header = ["mode", "one core", "two cores", "times faster", "on one core only", "by CPU at most"]
    table(title, header, rows)
    print(
        f"\nTwo threads of SHA-256, which share nothing, are {_two_threads():.2f} times as fast as one here."
    )


@contextmanager
def _beside() -> Iterator[list[float]]:
    """Measure the CPU of what batches do, which several cores share; the rest of a reconciliation is one thread's."""
    spent, whole = [0.0], local.AtOnce.__call__

    def timed(self: local.AtOnce, batches: Batches, bits: Bits, channel: ClassicalChannel) -> None:
        before = time.process_time()
        whole(self, batches, bits, channel)
        spent[0] += time.process_time() - before

    with patch.object(local.AtOnce, "__call__", timed):
        yield spent


def _two_threads() -> float:
    """Return how many times as fast two threads are as one, where neither needs Python or much memory."""
    block = bytes(1 << 26)
    walls: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(CORE_REPEATS):
        for threads, found in walls.items():
            with ThreadPoolExecutor(threads) as pool:
                started = time.perf_counter()
                list(pool.map(hashlib.sha256, [block] * 2))
                found.append(time.perf_counter() - started)
    return min(walls[1]) / min(walls[2])


def latency() -> None:
    """Round trips of a frame alone and of a batch, and what few of them cost."""
    rows = []
    for low_latency in (False, True):
        alone, batch = [], []
        for qber in QBERS:
            trips = [
                speed.measure_reconciliation(
                    "numba", qber, 1 << 16, 1 << 16, low_latency=low_latency, seed=seed
                )[1].round_trips
                for seed in range(20)
            ]
            alone.append(f"{np.mean(trips):.0f}")
            found = ours("numba", qber, 1 << 16, low_latency=low_latency)
            batch.append(f"{found['round_trips']:.0f} ({_shown(found, qber).split('(')[1]}")
        mode = "low latency" if low_latency else "standard"
        rows += [[f"{mode}, one frame", *alone], [f"{mode}, 64 frames at once", *batch]]
    table("Round trips (efficiency), frames of 2^16", ["", *map("{:.0%}".format, QBERS)], rows)


def simulation() -> None:
    """Pulses over 50 km, and qubits without loss."""
    what, randomness = "pulses at 50 km", Randomness(1)
    theirs = peers.from_pypi("sequence", peers.PULSES_SEQUENCE)
    shown = theirs if isinstance(theirs, str) else f"{theirs['pulses'] / theirs['seconds']:.2e} /s"
    rows = [[what, "SeQUeNCe", shown]]
    for link in (channel.preset("metro_50km"), channel.preset("lim2014")):
        number = 3 * 10**9 if link.has_decoys else 3 * 10**8
        seconds = fastest(lambda: bb84.transmit(number, link, NoAttack(), randomness))  # noqa: B023 - called at once
        rows.append([what, f"this engine, {link.name}", f"{number / seconds:.2e} /s"])
    what = "qubits without loss, QBER 2 %"
    theirs = peers.from_pypi("qkdpy", peers.SESSION_QKDPY)
    shown = theirs if isinstance(theirs, str) else f"{theirs['seconds']:.3f} s for {theirs['bits']:.0f} bits"
    rows.append([what, "qkdpy, a session of 256 bits", shown])
    lossless = Channel.from_error_rate(0.02)
    seconds = fastest(lambda: bb84.transmit(10**7, lossless, NoAttack(), randomness))
    rows.append([what, "this engine", f"{10**7 / seconds:.2e} qubits/s"])
    table("Simulation", ["what", "software", "figure"], rows)


def privacy_amplification() -> None:
    """Half of the bits kept, and the pages that the kernel had to clear for it: none, as freed memory is kept."""
    rows = []
    for power in (4, 5, 6, 7):
        first = _amplified(power)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        again = _amplified(power)
        faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / AMPLIFY_REPEATS
        rows.append([f"10^{power}", f"{max(first, again):.0f}", f"{faults:.0f}"])
    header = ["bits", "Mbit/s", "page faults a call"]
    table(f"Privacy amplification, fresh process, best of {2 * AMPLIFY_REPEATS}", header, rows)


def _amplified(power: int) -> float:
    bits = np.random.default_rng(1).integers(0, 2, 10**power, dtype=np.uint8)
    final = bits.size // 2
    seed = Randomness(1).token(amplification.seed_size(bits.size, final))
    work = partial(amplification.amplify, bits, final, seed=seed)
    seconds: float = min(speed.cpu_seconds(work) for _ in range(AMPLIFY_REPEATS))
    return float(bits.size) / seconds / 1e6


def reconciliation() -> None:
    """Cascade at both sizes of frames."""
    for frame_bits in (1 << 14, 1 << 16):
        of_frames(frame_bits)


PARTS = {
    "simulation": simulation,
    "privacy_amplification": privacy_amplification,
    "reconciliation": reconciliation,
    "cores": cores,
    "latency": latency,
}


def main(*names: str) -> None:
    """Measure the parts named, or everything, and print the tables."""
    for name in names or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    print(machine(), load(), sep="; ")
    main(*sys.argv[1:])
