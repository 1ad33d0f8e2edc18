"""Weak pulses of three intensities: Lim, Curty, Walenta, Xu, Zbinden 2014."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qkd.bits import as_integer, as_number
from qkd.finite_key.devices import IDEAL, Devices
from qkd.finite_key.entropy import binary_entropy
from qkd.finite_key.sampling import expected_range, most_errors

# From here on the published gamma is above the exact tail for every size tried (tests/qkd/test_sampling.py).
FEW_ERRORS = 1000

_TERMS = 21  # shares of epsilon_sec, as published


@dataclass(frozen=True, kw_only=True)
class DecoyCounts:
    """What was counted at one intensity.

    Attributes:
        intensity: mean photon number of the pulses, >= 0.
        probability: with which Alice chose it, (0, 1].
        key_clicks: n_k, sifted clicks in the key basis.
        test_clicks: sifted clicks in the other basis.
        test_errors: m_k, errors among these.
    """

    intensity: float
    probability: float
    key_clicks: int
    test_clicks: int
    test_errors: int


@dataclass(frozen=True)
class SinglePhotons:
    """What the decoys tell of the sifted clicks.

    Attributes:
        vacuum: lower bound of the key clicks from empty pulses.
        single: lower bound of the key clicks from single photons.
        phase_error: upper bound of their phase error rate, up to 0.5.
    """

    vacuum: float
    single: float
    phase_error: float


def lim2014_bounds(
    counts: Sequence[DecoyCounts],
    *,
    epsilon_sec: float,
    published: bool = False,
    devices: Devices = IDEAL,
) -> SinglePhotons:
    """Bound what single photons gave; arguments, errors and source are those of ``lim2014_length``."""
    if len(counts) != 3:
        raise ValueError(f"counts must be of three intensities, not {len(counts)}")
    mu1, mu2, mu3 = (count.intensity for count in counts)
    if not (mu1 > mu2 + mu3 and mu2 > mu3 >= 0):
        raise ValueError("counts must have intensities mu1 > mu2 + mu3 and mu2 > mu3 >= 0")
    as_number("epsilon_sec", epsilon_sec, 0, 1, open_low=True)
    share = epsilon_sec / (_TERMS + devices.tails)
    tail = _hoeffding if published else expected_range
    of_key, of_sample = devices.tagged_of_key(share), devices.tagged_of_sample(share)
    key, test, wrong = (
        _scaled_clicks([getattr(count, name) for count in counts], counts, share, tail, tagged)
        for name, tagged in (("key_clicks", of_key), ("test_clicks", of_sample), ("test_errors", of_sample))
    )
    vacuum, single = _vacuum_and_single(key, counts)
    _, single_test = _vacuum_and_single(test, counts)
    single, single_test = (devices.ideally_seen(one, share) for one in (single, single_test))
    if single <= 0 or single_test <= 0:
        return SinglePhotons(vacuum, max(0.0, single), 0.5)
    single_errors = max(0.0, _emission(1, counts) * (wrong[1][1] - wrong[2][0]) / (mu2 - mu3))
    ratio = single_errors / single_test
    if ratio >= 0.5:
        return SinglePhotons(vacuum, single, 0.5)
    # Failing with share^2, smoothing costs share: the only tail here about what nobody measured
    sampling, chance = (_published_sampling, share) if published else (_exact_sampling, share**2)
    phase_error = ratio + sampling(chance, single_errors, single_test, single)
    return SinglePhotons(vacuum, single, min(0.5, phase_error))


def lim2014_length(
    counts: Sequence[DecoyCounts],
    *,
    leaked_bits: int,
    epsilon_sec: float = 1e-9,
    epsilon_cor: float = 1e-15,
    verification_bits: int = 0,
    discarded_bits: int = 0,
    published: bool = False,
    devices: Devices = IDEAL,
) -> int:
    """Return the secret bits of a BB84 session with weak coherent pulses of three intensities.

    l = floor(s_0 + s_1 (1 - h(phi)) - leak_EC - 6 log2(21/eps_sec) - log2(2/eps_cor)).

    Two of the tails in s_0, s_1 and phi are tighter than published: the counts of an intensity are held against their
    expectations by Hoeffding's theorem 1 instead of the inequality that follows from it, at the published share
    eps_sec/21, and the phase errors against those of the test basis by the hypergeometric tail itself, at the square of
    that share: a smoothing of alpha allows errors that are more with probability alpha^2 (Tomamichel et al. 2012,
    lemma 3). The published text takes alpha, and an expression that is about as wide as the tail at alpha^2.

    Args:
        counts: signal, decoy, weakest, with mu1 > mu2 + mu3 and mu2 > mu3 >= 0.
        leaked_bits: parities disclosed, >= 0.
        epsilon_sec: secrecy, (0, 1).
        epsilon_cor: correctness, (0, 1).
        verification_bits: tag bits disclosed, >= 0; charged where they exceed the published log2(2/eps_cor).
        discarded_bits: bits of frames that failed verification, counted among the key clicks, >= 0. All of them are
            taken to be of empty pulses, and all to be of single photons without a phase error.
        published: take the published tails, where few errors allow it; to compare with published figures.
        devices: what is known of Alice's source and Bob's detectors: clicks of single photons that are not clean count as
            known to Eve, and each imperfection takes two more shares of epsilon_sec.

    Returns:
        Length in bits, at least 0.

    Raises:
        ValueError: intensities that the bound does not cover, or an argument outside its range.

    Source: Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014), equations 1 to 5.
    """
    for name, count in (
        ("leaked_bits", leaked_bits),
        ("verification_bits", verification_bits),
        ("discarded_bits", discarded_bits),
    ):
        as_integer(name, count, 0, 2**62)
    as_number("epsilon_cor", epsilon_cor, 0, 1, open_low=True)
    balance = lim2014_balance(
        counts,
        epsilon_sec=epsilon_sec,
        leaked_bits=leaked_bits,
        discarded_bits=discarded_bits,
        published=published,
        devices=devices,
    )
    correctness = max(verification_bits, math.log2(2 / epsilon_cor))
    terms = _TERMS + devices.tails
    return max(0, math.floor(balance - 6 * math.log2(terms / epsilon_sec) - correctness))


def lim2014_balance(
    counts: Sequence[DecoyCounts],
    *,
    epsilon_sec: float,
    leaked_bits: int,
    discarded_bits: int = 0,
    published: bool = False,
    devices: Devices = IDEAL,
) -> float:
    """Return the entropy of the key clicks less what was disclosed, before the constant terms; it may be negative.

    Arguments, errors and source are those of ``lim2014_length``.
    """
    bounds = lim2014_bounds(counts, epsilon_sec=epsilon_sec, published=published, devices=devices)
    return entropy_left(bounds, discarded_bits) - leaked_bits


def entropy_left(bounds: SinglePhotons, discarded_bits: int) -> float:
    """Return the entropy of the key clicks where frames were discarded: at worst those clicks that had the entropy."""
    vacuum, single = max(0.0, bounds.vacuum - discarded_bits), bounds.single - discarded_bits
    if single <= 0:
        return vacuum
    phase_error = min(0.5, bounds.phase_error * bounds.single / single)
    return vacuum + single * (1 - binary_entropy(phase_error))


def _emission(photons: int, counts: Sequence[DecoyCounts]) -> float:
    """Return tau_n, the probability that Alice emits ``photons`` photons."""
    return sum(
        count.probability * math.exp(-count.intensity) * count.intensity**photons / math.factorial(photons)
        for count in counts
    )


def _scaled_clicks(
    clicks: list[int],
    counts: Sequence[DecoyCounts],
    share: float,
    tail: Callable[[int, int, float], tuple[float, float]],
    tagged: int,
) -> list[tuple[float, float]]:
    """Return n-_k and n+_k: bounds of the expected clicks per intensity, scaled; up to ``tagged`` are not to count.

    n-_k is clipped at 0, which is sound, since no expectation is negative, and worth 3 to 24 % of the key of blocks
    with few clicks of an intensity.
    """
    total = sum(clicks)
    scaled = []
    for number, count in zip(clicks, counts, strict=True):
        low, high = tail(max(0, number - tagged), total, share)[0], tail(number, total, share)[1]
        scale = math.exp(count.intensity) / count.probability
        scaled.append((scale * max(0.0, low), scale * high))
    return scaled


def _hoeffding(count: int, total: int, epsilon: float) -> tuple[float, float]:
    """Bound the expectation of a count as published; see ``expected_range``."""
    deviation = math.sqrt(total / 2 * math.log(1 / epsilon))
    return count - deviation, count + deviation


def _vacuum_and_single(
    scaled: list[tuple[float, float]], counts: Sequence[DecoyCounts]
) -> tuple[float, float]:
    """Return lower bounds of the clicks from empty pulses and from single photons."""
    mu1, mu2, mu3 = (count.intensity for count in counts)
    tau0, tau1 = _emission(0, counts), _emission(1, counts)
    (_, high1), (low2, high2), (low3, high3) = scaled
    vacuum = max(0.0, tau0 * (mu2 * low3 - mu3 * high2) / (mu2 - mu3))
    bracket = low2 - high3 - (mu2**2 - mu3**2) / mu1**2 * (high1 - vacuum / tau0)
    single = tau1 * mu1 * bracket / (mu1 * (mu2 - mu3) - mu2**2 + mu3**2)
    return vacuum, max(0.0, single)


def _published_sampling(share: float, errors: float, sample: float, rest: float) -> float:
    """Return gamma(a, b, c, d) of equation 5: from the errors of the test basis to the phase errors of the key basis.

    The published expression is a normal approximation, which fails more often than with the share of epsilon_sec that it
    is stated for where the sample has few errors, and is zero at none. There the exact tail decides.
    """
    ratio = errors / sample
    exact = _exact_sampling(share, errors, sample, rest) if errors <= FEW_ERRORS else 0.0
    if ratio == 0:
        return exact
    spread = (sample + rest) / (sample * rest)
    inner = spread / ((1 - ratio) * ratio) / share**2
    return max(exact, math.sqrt(spread * (1 - ratio) * ratio / math.log(2) * math.log2(inner)))


def _exact_sampling(chance: float, errors: float, sample: float, rest: float) -> float:
    """Return by how much the phase error rate can exceed the error rate of the test basis, save with that chance.

    The counts are bounds and no whole numbers: each is rounded to the side that allows more errors.
    """
    compared, others = max(1, math.floor(sample)), max(1, math.ceil(rest))
    seen = min(compared, math.ceil(errors))
    most = most_errors(sample=compared, rest=others, seen=seen, epsilon=chance)
    return max(0.0, most / rest - errors / sample)
