"""Weak pulses of two intensities: Rusca, Boaron, Grünenfelder, Martin, Zbinden 2018."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qkd.bits import as_integer, as_number
from qkd.finite_key.decoy_states import SinglePhotons, entropy_left
from qkd.finite_key.devices import IDEAL, Devices
from qkd.finite_key.sampling import expected_range, most_errors

_TERMS = 19  # shares of epsilon_sec, as published


@dataclass(frozen=True, kw_only=True)
class OneDecoyCounts:
    """What was counted at one of the two intensities.

    Attributes:
        intensity: mean photon number of the pulses, > 0.
        probability: with which Alice chose it, (0, 1).
        key_clicks: sifted clicks in the key basis.
        key_errors: errors among these, known once they are corrected.
        test_clicks: sifted clicks in the other basis.
        test_errors: errors among these.
    """

    intensity: float
    probability: float
    key_clicks: int
    key_errors: int
    test_clicks: int
    test_errors: int


def rusca2018_bounds(
    counts: Sequence[OneDecoyCounts], *, epsilon_sec: float, devices: Devices = IDEAL
) -> SinglePhotons:
    """Bound what single photons gave; arguments, errors and source are those of ``rusca2018_length``."""
    if len(counts) != 2:
        raise ValueError(f"counts must be of two intensities, not {len(counts)}")
    if not counts[0].intensity > counts[1].intensity > 0:
        raise ValueError("counts must have intensities mu1 > mu2 > 0")
    as_number("epsilon_sec", epsilon_sec, 0, 1, open_low=True)
    share = epsilon_sec / (_TERMS + devices.tails)
    scale = [math.exp(count.intensity) / count.probability for count in counts]

    def expected(numbers: list[int], tagged: int) -> list[tuple[float, float]]:
        total = sum(numbers)
        return [
            (
                factor * expected_range(max(0, number - tagged), total, share)[0],
                factor * expected_range(number, total, share)[1],
            )
            for factor, number in zip(scale, numbers, strict=True)
        ]

    of_key, of_sample = devices.tagged_of_key(share), devices.tagged_of_sample(share)
    clicks = [count.key_clicks for count in counts]
    key_errors = expected([count.key_errors for count in counts], of_key)
    vacuum, single = _vacuum_and_single(expected(clicks, of_key), sum(clicks), counts, key_errors, share)
    # The vacuum of the test basis is bounded by the errors of that basis.
    clicks = [count.test_clicks for count in counts]
    errors = expected([count.test_errors for count in counts], of_sample)
    _, single_test = _vacuum_and_single(expected(clicks, of_sample), sum(clicks), counts, errors, share)
    single, single_test = (devices.ideally_seen(one, share) for one in (single, single_test))
    if single <= 0 or single_test <= 0:
        return SinglePhotons(vacuum, max(0.0, single), 0.5)
    (mu1, mu2), tau1 = (count.intensity for count in counts), _emission(1, counts)
    wrong = max(0.0, tau1 * (errors[0][1] - errors[1][0]) / (mu1 - mu2))
    compared, others = max(1, math.floor(single_test)), max(1, math.ceil(single))
    # As in ``lim2014_bounds``: phase errors are measured by nobody, and failing with share^2 costs share
    most = most_errors(sample=compared, rest=others, seen=min(compared, math.ceil(wrong)), epsilon=share**2)
    return SinglePhotons(vacuum, single, min(0.5, most / single))


def rusca2018_length(
    counts: Sequence[OneDecoyCounts],
    *,
    leaked_bits: int,
    epsilon_sec: float = 1e-9,
    epsilon_cor: float = 1e-15,
    verification_bits: int = 0,
    discarded_bits: int = 0,
    devices: Devices = IDEAL,
) -> int:
    """Return the secret bits of a BB84 session with a signal and one decoy, neither of them vacuum.

    l = floor(s_0 + s_1 (1 - h(phi)) - leak_EC - 6 log2(19/eps_sec) - log2(2/eps_cor)). The tails are those of
    ``lim2014_length``.

    Args:
        counts: signal and decoy, mu1 > mu2 > 0.
        leaked_bits: parities disclosed, >= 0.
        epsilon_sec: secrecy, (0, 1).
        epsilon_cor: correctness, (0, 1).
        verification_bits: tag bits disclosed, as for ``lim2014_length``.
        discarded_bits: bits of frames that failed verification, counted among the key clicks and all of them among the
            key errors, >= 0; otherwise as for ``lim2014_length``.
        devices: what is known of Alice's source and Bob's detectors, as for ``lim2014_length``.

    Returns:
        Length in bits, at least 0.

    Raises:
        ValueError: intensities that the bound does not cover, or an argument outside its range.

    Source: Rusca, Boaron, Grünenfelder, Martin, Zbinden, Appl. Phys. Lett. 112, 171104 (2018), equations A1 to A25.
    """
    for name, count in (
        ("leaked_bits", leaked_bits),
        ("verification_bits", verification_bits),
        ("discarded_bits", discarded_bits),
    ):
        as_integer(name, count, 0, 2**62)
    as_number("epsilon_cor", epsilon_cor, 0, 1, open_low=True)
    bounds = rusca2018_bounds(counts, epsilon_sec=epsilon_sec, devices=devices)
    terms = 6 * math.log2((_TERMS + devices.tails) / epsilon_sec)
    secret = entropy_left(bounds, discarded_bits) - leaked_bits - terms
    return max(0, math.floor(secret - max(verification_bits, math.log2(2 / epsilon_cor))))


def _emission(photons: int, counts: Sequence[OneDecoyCounts]) -> float:
    """Return tau_n, the probability that Alice emits ``photons`` photons."""
    return sum(
        count.probability * math.exp(-count.intensity) * count.intensity**photons / math.factorial(photons)
        for count in counts
    )


def _vacuum_and_single(
    expected: list[tuple[float, float]],
    clicks: int,
    counts: Sequence[OneDecoyCounts],
    errors: list[tuple[float, float]],
    share: float,
) -> tuple[float, float]:
    """Return lower bounds of the clicks from empty pulses and from single photons of a basis.

    Half of the clicks of empty pulses are errors, and no more errors than were seen at the weaker intensity, scaled,
    can be theirs: that bounds them from above, which the bound of the single photons needs.
    """
    (mu1, mu2), tau0, tau1 = (count.intensity for count in counts), _emission(0, counts), _emission(1, counts)
    (_, high1), (low2, _) = expected
    vacuum = max(0.0, tau0 * (mu1 * low2 - mu2 * high1) / (mu1 - mu2))
    most_errors_of_vacuum = tau0 * errors[1][1]
    # s_0 <= 2 v_0 + sqrt(2 s_0 ln(1/eps)), solved for s_0; published with all clicks under the root instead of s_0.
    root = math.sqrt(math.log(1 / share) / 2)
    most_vacuum = min((root + math.sqrt(root**2 + 2 * most_errors_of_vacuum)) ** 2, float(clicks))
    bracket = low2 - mu2**2 / mu1**2 * high1 - (mu1**2 - mu2**2) / mu1**2 * most_vacuum / tau0
    return vacuum, max(0.0, tau1 * mu1 * bracket / (mu2 * (mu1 - mu2)))
