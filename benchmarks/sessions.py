"""The QKD engine: CPU of whole sessions, one core."""

import statistics
import time

from benchmarks.report import table
from qkd import planning
from qkd.session import SessionParameters, run


def session(key_length: int, error_rate: float, runs: int) -> list[object]:
    """Median CPU of a session that is the first of its kind, and of one whose plan is remembered; how many gave the key."""
    first: list[float] = []
    later: list[float] = []
    keys = 0
    for _ in range(runs):
        planning.plan_for.cache_clear()
        for times in (first, later):
            started = time.process_time()
            result = run(SessionParameters(key_length=key_length, error_rate=error_rate, kernel="numpy"))
            times.append(time.process_time() - started)
            keys += result.key is not None
    medians = [f"{statistics.median(times) * 1000:.1f}" for times in (first, later)]
    return [f"{key_length:,}", f"{error_rate:.0%}", *medians, f"{keys}/{2 * runs}"]


def main() -> None:
    """Sessions of several lengths and error rates."""
    wanted = [(256, 0.02, 40), (256, 0.05, 20), (16_384, 0.02, 10), (1_048_576, 0.02, 3)]
    rows = [session(*one) for one in wanted]
    table(
        "BB84 sessions from photons to final key, numpy: median CPU ms",
        ["key bits", "QBER", "first of its kind", "later ones", "keys"],
        rows,
    )
