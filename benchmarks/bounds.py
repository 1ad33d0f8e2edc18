"""What the bounds of sessions leave beside the published ones they come from: the same counts, tighter tails."""

import math
from fractions import Fraction
from unittest.mock import patch

from benchmarks.report import table
from qkd import finite_key, planning, worst_case
from qkd.channel import Channel, preset
from qkd.finite_key import decoy_states
from qkd.finite_key.sampling import most_errors
from qkd.keyrate import lim2014_rate
from qkd.session import SessionParameters, plan

BLOCKS = (10**4, 10**5, 10**6, 10**7, 10**9)
DISTANCES_KM = (0, 50, 100)
ERROR_RATES = (0.005, 0.02, 0.05)
KEY_LENGTHS = (256, 16_384)
SAMPLES = ((100, 100, 0), (1000, 1000, 0), (1000, 1000, 20), (1000, 3000, 50), (2000, 2000, 200))


def main() -> None:
    """Print the tables."""
    _decoys()
    _single_photons()
    _against_exact()


def _against_exact() -> None:
    """Errors that the rest may have: the inequalities, the tail, and whole numbers without logarithm or rounding."""
    rows = []
    for sample, rest, seen in SAMPLES:
        epsilon = Fraction(1, 10**10)
        serfling = math.sqrt(
            (sample + rest) / (sample * rest) * (sample + 1) / sample * math.log(1 / epsilon) / 2
        )
        normal = seen / sample + decoy_states._published_sampling(  # noqa: SLF001 - shown beside what sessions take
            float(epsilon), float(seen), float(sample), float(rest)
        )
        rows.append(
            (
                f"{seen} of {sample:,}, {rest:,} more",
                f"{min(rest, (seen / sample + serfling) * rest):,.0f}",
                f"{min(rest, normal * rest):,.0f}",
                f"{most_errors(sample=sample, rest=rest, seen=seen, epsilon=float(epsilon)):,}",
                f"{_exact(sample, rest, seen, epsilon):,}",
            )
        )
    table(
        "Errors in bits not compared, save with probability 1e-10",
        (
            "errors seen",
            "Serfling",
            "normal, or the tail where that is more",
            "tail inverted",
            "whole numbers",
        ),
        rows,
    )


def _exact(sample: int, rest: int, seen: int, epsilon: Fraction) -> int:
    whole = math.comb(sample + rest, sample)

    def possible(total: int) -> bool:
        ways = sum(
            math.comb(total, e) * math.comb(sample + rest - total, sample - e) for e in range(seen + 1)
        )
        return Fraction(ways, whole) > epsilon

    low, high = seen, seen + rest + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if possible(middle) else (low, middle)
    return low - seen


def _decoys() -> None:
    link = preset("lim2014")
    rows = []
    for distance in DISTANCES_KM:
        for block in BLOCKS:
            published, tight = (
                lim2014_rate(link, distance, block_bits=block, published=choice).rate
                for choice in (True, False)
            )
            gain = f"{tight / published:.2f}" if published else "-"
            rows.append(
                (distance, f"10^{round(math.log10(block))}", f"{published:.3g}", f"{tight:.3g}", gain)
            )
    table(
        "Secret bits per pulse, three intensities, each optimised (Lim et al. 2014)",
        ("km", "sifted key bits", "published tails", "ours", "times"),
        rows,
    )


def _single_photons() -> None:
    rows = []
    for length in KEY_LENGTHS:
        for rate in ERROR_RATES:
            parameters = SessionParameters(
                channel=Channel.from_error_rate(rate), key_length=length, epsilon_sec=1e-10
            )
            ours = plan(parameters).expected_sifted
            with_serfling = _sifted_by_serfling(parameters)
            rows.append(
                (length, f"{rate:.1%}", f"{with_serfling:,}", f"{ours:,}", f"{with_serfling / ours:.2f}")
            )
    table(
        "Sifted bits that a key takes, single photons (Tomamichel et al. 2012)",
        ("key bits", "QBER", "Serfling", "exact tail", "times"),
        rows,
    )


def _sifted_by_serfling(parameters: SessionParameters) -> int:
    """Plan with the published bound in place of ours."""

    def published(*, errors: int, sample_bits: int, devices: object, **others: object) -> int:  # noqa: ARG001 - ideal
        return finite_key.tomamichel2012_length(
            qber=errors / sample_bits,
            sample_bits=sample_bits,
            **others,  # type: ignore[arg-type] # those of the function that it stands for
        )

    planning.plan_for.cache_clear()
    try:
        with patch.object(worst_case, "single_photon_length", published):  # for one plan
            return plan(parameters).expected_sifted
    finally:
        planning.plan_for.cache_clear()
