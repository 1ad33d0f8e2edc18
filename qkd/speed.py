"""Measure how fast this machine is on one core, for ``python -m qkd bench``."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from qkd import amplification, bb84, channel
from qkd.attacks import NoAttack
from qkd.finite_key import binary_entropy
from qkd.randomness import Randomness
from qkd.reconciliation import ReconciliationResult, reconcile


@dataclass(frozen=True)
class Case:
    """A measurement: what it is called, and what gives its value and unit."""

    what: str
    measure: Callable[[], tuple[str, str]]


def measure(case: Case) -> dict[str, str]:
    """Run a measurement and return its name, value and unit."""
    value, unit = case.measure()
    return {"what": case.what, "value": value, "unit": unit}


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of this process for a piece of work."""
    before = time.process_time()
    work()
    return max(1e-9, time.process_time() - before)


def cases(*, quick: bool) -> list[Case]:
    """Return all measurements; ``quick`` ones are too small to mean much."""
    found = [
        Case("pulses simulated at 50 km (lim2014)", lambda: _pulses(10**8 if quick else 3 * 10**9)),
        Case("privacy amplification, 10^6 bits", lambda: _amplification(10**5 if quick else 10**6)),
    ]
    kernels = ("numpy", "numba") if find_spec("numba") is not None else ("numpy",)
    rates = (0.02,) if quick else (0.01, 0.02, 0.03, 0.05, 0.08, 0.11)
    frames = (1 << 14,) if quick else (1 << 14, 1 << 16, 1 << 20)
    found += [
        _reconciliation(kernel, qber, frame_bits, 1 << (15 if quick else 22))
        for kernel in kernels
        for qber in rates
        for frame_bits in frames
    ]
    return found


def _reconciliation(kernel: str, qber: float, frame_bits: int, bits: int) -> Case:
    def measure() -> tuple[str, str]:
        seconds, result = measure_reconciliation(kernel, qber, frame_bits, bits)
        efficiency = result.leaked_bits / (bits * binary_entropy(qber))
        speed = f"{bits / seconds / 1e6:.1f}"
        return speed, f"Mbit/s  f = {efficiency:.4f}  {result.round_trips:,} round trips"

    name = f"Cascade, {kernel}, frames of 2^{frame_bits.bit_length() - 1}, QBER {qber:.0%}"
    return Case(name, measure)


def measure_reconciliation(
    kernel: str, qber: float, frame_bits: int, bits: int, *, low_latency: bool = False, seed: int = 1
) -> tuple[float, ReconciliationResult]:
    """Correct frames that each hold exactly ``qber`` of wrong bits; return CPU seconds and outcome."""
    rng = np.random.default_rng(seed)
    errors = np.zeros((max(1, bits // frame_bits), min(bits, frame_bits)), np.uint8)
    errors[:, : round(qber * errors.shape[1])] = 1
    wrong = rng.permuted(errors, axis=1).reshape(-1)
    alice = rng.integers(0, 2, wrong.size, dtype=np.uint8)
    reconcile(alice[:1000], alice[:1000], qber, seed=1, kernel=kernel)  # compiles what is to be compiled
    results: list[ReconciliationResult] = []

    def work() -> None:
        found = reconcile(
            alice,
            alice ^ wrong,
            qber,
            seed=seed,
            kernel=kernel,
            frame_bits=frame_bits,
            low_latency=low_latency,
        )
        results.append(found)

    return cpu_seconds(work), results[0]


def _pulses(pulses: int) -> tuple[str, str]:
    link, randomness = channel.preset("lim2014"), Randomness(1)
    seconds = cpu_seconds(lambda: bb84.transmit(pulses, link, NoAttack(), randomness))
    return f"{pulses / seconds:.2e}", "pulses/s"


def _amplification(bits: int) -> tuple[str, str]:
    string = np.random.default_rng(1).integers(0, 2, bits, dtype=np.uint8)
    seed = Randomness(1).token(amplification.seed_size(bits, bits // 2))
    work = [cpu_seconds(lambda: amplification.amplify(string, bits // 2, seed=seed)) for _ in range(20)]
    seconds = min(work)
    return f"{bits / seconds / 1e6:.0f}", "Mbit/s"
