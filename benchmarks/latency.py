"""What round trips cost a link on which each takes long, and what an LDPC code, which needs few, could win.

Counts only, so a busy machine changes nothing.
"""

import math

from benchmarks.report import table
from qkd.finite_key import binary_entropy
from qkd.session import SessionParameters, run

ROUND_TRIP_SECONDS = 0.1
SIFTED_PER_SECOND = 10_000  # of a link of some 50 km at some hundred MHz
QBER = 0.02
KEY_LENGTHS = (256, 16_384, 262_144)
LDPC_EFFICIENCY = 1.15  # published codes of 10^4 to 10^6 bits at 2 %, rates matched: 1.1 to 1.2
RUNS = 5


def main() -> None:
    """Print the table."""
    rows = [row for length in KEY_LENGTHS for row in _rows(length)]
    table(
        f"Round trips of {ROUND_TRIP_SECONDS * 1000:.0f} ms, QBER {QBER:.0%}, {SIFTED_PER_SECOND:,} sifted bits/s",
        [
            "key bits",
            "reconciliation",
            "round trips",
            "waiting",
            "photons take",
            "one after the other",
            "at once",
        ],
        rows,
    )


def _rows(length: int) -> list[list[str]]:
    standard, quick = (_measured(length, low_latency=mode) for mode in (False, True))
    sifted, bound, sent = standard[2:]
    entropy = sifted * binary_entropy(QBER)
    ldpc = (8.0, LDPC_EFFICIENCY * entropy, sifted, bound + standard[1] - LDPC_EFFICIENCY * entropy, sent)
    names = ("Cascade, standard", "Cascade, low latency", f"LDPC of {LDPC_EFFICIENCY}")
    photons = sent / SIFTED_PER_SECOND
    best = bound / photons
    return [
        [
            f"{length:,}",
            name,
            f"{trips:,.0f}",
            f"{trips * ROUND_TRIP_SECONDS:,.1f} s",
            f"{photons:,.1f} s",
            f"{left / (photons + trips * ROUND_TRIP_SECONDS) / best:.0%}",
            f"{left / photons / best:.1%}",
        ]
        for name, (trips, _, _, left, _) in zip(names, (standard, quick, ldpc), strict=True)
    ]


def _measured(length: int, *, low_latency: bool) -> tuple[float, float, float, float, float]:
    """Return the means of round trips, parities, sifted bits kept, secret bits left, and all sifted bits."""
    found = [
        run(SessionParameters(key_length=length, error_rate=QBER, low_latency=low_latency, seed=seed))
        for seed in range(RUNS)
    ]
    kept = [one.sifted_length - one.sampled_length for one in found]
    lists = (
        [one.round_trips for one in found],
        [one.leaked_bits for one in found],
        kept,
        [one.bound_length for one in found],
        [one.sifted_length for one in found],
    )
    return tuple(math.fsum(values) / RUNS for values in lists)  # type: ignore[return-value] # five of them
