"""Protocols side by side: the secret bits per pulse that each leaves of one link, with blocks of finite size.

BB84 with single photons, with three intensities, with two, and BBM92 with entangled pairs from a source half-way. Each
has its own best bias and light; all take the same detectors, fibre, error correction and security.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qkd.bits import as_integer
from qkd.channel import Channel
from qkd.entangled import entangled_gain_and_error
from qkd.finite_key import OneDecoyCounts, binary_entropy, rusca2018_length, single_photon_length
from qkd.keyrate import LIM2014_EFFICIENCY, at_distance, decoy_asymptotic_rate, lim2014_rate

EPSILON_SEC, EPSILON_COR = 1e-10, 1e-15
_BIASES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)


def single_photon_rate(channel: Channel, distance_km: float, *, block_bits: int) -> float:
    """Return the secret bits per pulse of BB84 with one photon per pulse, and the best bias.

    Args:
        channel: receiver and fibre; its own distance and intensities do not matter.
        distance_km: of fibre, 0 to 10,000.
        block_bits: sifted bits of the key basis, 1 to 10^15.

    Raises:
        ValueError: an argument outside its range.

    Source: ``single_photon_length``.
    """
    link = replace(at_distance(channel, distance_km), intensities=(), intensity_probabilities=())
    return _of_two_bases(link.gain, link.error_rate(), block_bits)


def _of_two_bases(gain: float, error: float, block_bits: int) -> float:
    """Return the rate at the best bias, given clicks per pulse and their error rate, the same in both bases."""
    as_integer("block_bits", block_bits, 1, 10**15)
    if not gain:
        return 0.0
    leaked = math.ceil(block_bits * LIM2014_EFFICIENCY * binary_entropy(error))

    def rate(bias: float) -> float:
        pulses = block_bits / (bias**2 * gain)
        sample = int(pulses * (1 - bias) ** 2 * gain)
        length = single_photon_length(
            key_bits=block_bits,
            sample_bits=sample,
            errors=min(sample, math.ceil(sample * error)),
            leaked_bits=leaked,
            epsilon_sec=EPSILON_SEC,
            epsilon_cor=EPSILON_COR,
        )
        return length / pulses

    return max(map(rate, _BIASES))


def three_intensity_rate(channel: Channel, distance_km: float, *, block_bits: int) -> float:
    """Return the secret bits per pulse of BB84 with signal, decoy and weakest pulses; arguments as above.

    Source: ``lim2014_length`` with the tails that sessions take.
    """
    security = EPSILON_SEC / block_bits
    return lim2014_rate(channel, distance_km, block_bits=block_bits, security=security, published=False).rate


def published_rate(channel: Channel, distance_km: float, *, block_bits: int) -> float:
    """Return the same with the tails that Lim et al. 2014 published; arguments as above."""
    security = EPSILON_SEC / block_bits
    return lim2014_rate(channel, distance_km, block_bits=block_bits, security=security).rate


def asymptotic_rate(channel: Channel, distance_km: float, *, block_bits: int) -> float:  # noqa: ARG001 - no blocks
    """Return what weak pulses give with infinitely many decoys and pulses, all in one basis, at the best intensity.

    Source: ``decoy_asymptotic_rate``.
    """
    there = replace(channel, intensities=(), intensity_probabilities=())
    rate = decoy_asymptotic_rate(there, distance_km, efficiency=LIM2014_EFFICIENCY, sifting=1.0)
    return max(0.0, rate)


def one_decoy_counts(
    channel: Channel,
    *,
    block_bits: int,
    bias: float,
    intensities: tuple[float, float],
    probability: float,
) -> tuple[float, tuple[OneDecoyCounts, ...]]:
    """Return the pulses that a block takes, and the counts expected of them.

    Args:
        channel: receiver and fibre.
        block_bits: sifted bits of the key basis.
        bias: probability of the key basis, on both sides.
        intensities: mean photon numbers of signal and decoy.
        probability: of the signal.
    """
    chances = (probability, 1 - probability)
    gains = [channel.gain_at(intensity) for intensity in intensities]
    pulses = block_bits / (bias**2 * sum(c * g for c, g in zip(chances, gains, strict=True)))
    counts = []
    for intensity, chance, gain in zip(intensities, chances, gains, strict=True):
        error = channel.error_at(intensity)
        key, test = (pulses * chance * gain * share for share in (bias**2, (1 - bias) ** 2))
        counts.append(
            OneDecoyCounts(
                intensity=intensity,
                probability=chance,
                key_clicks=round(key),
                key_errors=round(key * error),
                test_clicks=round(test),
                test_errors=round(test * error),
            )
        )
    return pulses, tuple(counts)


def one_decoy_rate(channel: Channel, distance_km: float, *, block_bits: int) -> float:
    """Return the secret bits per pulse of BB84 with a signal and one decoy, with the best of both; arguments as above.

    Source: ``rusca2018_length``.
    """
    as_integer("block_bits", block_bits, 1, 10**15)
    there = replace(at_distance(channel, distance_km), intensities=(), intensity_probabilities=())

    def rate(x: list[float]) -> float:
        bias, probability, signal, ratio = (_inside(value) for value in x)
        light = (0.05 + 0.95 * signal, (0.05 + 0.95 * signal) * (0.02 + 0.96 * ratio))
        pulses, counts = one_decoy_counts(
            there, block_bits=block_bits, bias=bias, intensities=light, probability=probability
        )
        error = sum(count.key_errors for count in counts) / max(1, sum(count.key_clicks for count in counts))
        leaked = math.ceil(block_bits * LIM2014_EFFICIENCY * binary_entropy(min(0.5, error)))
        length = rusca2018_length(
            counts, leaked_bits=leaked, epsilon_sec=EPSILON_SEC, epsilon_cor=EPSILON_COR
        )
        return length / pulses

    starts = [(2.0, 1.0, 0.0, -0.5), (0.5, -0.5, 0.0, -1.0), (3.0, 2.0, 0.3, -0.5)]
    return max(_maximum(rate, start) for start in starts)


def _inside(x: float) -> float:
    """Map any real number into (0.01, 0.99)."""
    return 0.01 + 0.98 / (1 + math.exp(-max(-50.0, min(50.0, x))))


def _maximum(rate: Callable[[list[float]], float], start: tuple[float, ...]) -> float:
    from scipy.optimize import minimize  # noqa: PLC0415 - scipy costs a cold start more than the rest of the package

    def cost(x: NDArray[np.float64]) -> float:
        return -math.log(max(rate(x.tolist()), 1e-300))

    found = minimize(
        cost,
        np.array(start),
        method="Nelder-Mead",
        options={"maxfev": 400, "xatol": 0.01, "fatol": 1e-4},
    )
    best = math.exp(-float(found.fun))
    return best if best > 1e-299 else 0.0


def entangled_rate(channel: Channel, distance_km: float, *, block_bits: int) -> float:
    """Return the secret bits per pulse of BBM92 with an untrusted source half-way, and its best brightness.

    Arguments and errors are those of ``single_photon_rate``. Both measure in one of two bases, so that the errors of
    one basis bound the phase errors of the other as with single photons, whatever the source emits (Koashi & Preskill,
    PRL 90, 057902 (2003)): the same finite-key bound holds.
    """
    brightness = [0.002 * 1.35**step for step in range(20)]
    return max(
        _of_two_bases(*entangled_gain_and_error(channel, distance_km, pairs), block_bits)
        for pairs in brightness
    )
