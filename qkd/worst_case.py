"""Bound the key that a link gives even where its counts are worse than expected."""

import math
from dataclasses import dataclass
from functools import lru_cache

from qkd.channel import Channel
from qkd.finite_key import DecoyCounts, binary_entropy, lim2014_bounds, lim2014_length, tomamichel2012_length

MAX_SIFTED_BITS = 1 << 24
"""Largest block of one session: about half a gigabyte of working memory and half a minute of one core."""

MAX_PULSES = 10**13
"""Longest quantum phase: three hours at 1 GHz."""

# Each random quantity may be this many standard deviations worse than expected: one session in 10^6 falls short.
DEVIATIONS = 5.0
# All clicks of a decoy session at their worst together are rarer than any of them alone.
_DECOY_DEVIATIONS = 3.0

# Disclosed parities over n h(Q): Cascade stays below 1.06 on long frames, and below 1.2 plus a few dozen parities
# (the passes over random halves) on frames of some thousand bits.
_EFFICIENCY = 1.07
_EFFICIENCY_OVERHEAD_BITS = 60
_FRACTIONS = tuple(step / 40 for step in range(1, 25))


@dataclass(frozen=True)
class Demand:
    """What is asked of a link; see ``plan``."""

    key_length: int
    channel: Channel
    epsilon_sec: float
    epsilon_cor: float
    verification_bits: int
    authentication_bits: int = 0
    sample_fraction: float | None = None

    def most_clicks(self) -> float:
        """Return the clicks of the largest session."""
        return min(MAX_SIFTED_BITS / self.channel.sifted_fraction, self.channel.gain * MAX_PULSES)

    def clicks(self) -> float:
        """Find the fewest clicks that leave the wanted length in the worst planned case; infinite if none does."""
        high = self.most_clicks()
        if best_length(self, high)[0] < self.key_length:
            return math.inf
        low = 0.0
        while high - low > max(1.0, 0.005 * high):  # half a percent of pulses more than needed is cheap
            middle = math.sqrt(max(low, 1.0) * high)
            if best_length(self, middle)[0] >= self.key_length:
                high = middle
            else:
                low = middle
        return high


def _low_count(mean: float, deviations: float = DEVIATIONS) -> float:
    return max(0.0, mean - deviations * math.sqrt(mean))


def _rate_above(rate: float, count: float) -> float:
    """Return the observed rate that is not exceeded, up to the planned bad luck (Bernstein's inequality)."""
    return min(
        0.5,
        rate + DEVIATIONS * math.sqrt(rate * (1 - rate) / count) + DEVIATIONS**2 / (3 * count) * (rate > 0),
    )


@lru_cache(maxsize=64)
def _error_rate(channel: Channel) -> float:
    """Return the channel's error rate from memory: a search for a length asks some hundred times."""
    return channel.error_rate()


def _leak(key_bits: float, error: float) -> int:
    entropy = binary_entropy(_rate_above(error, key_bits))
    return math.ceil(_EFFICIENCY * key_bits * entropy + _EFFICIENCY_OVERHEAD_BITS)


def best_length(demand: Demand, clicks: float) -> tuple[int, int]:
    """Return the worst planned key length from so many clicks, and the size of the sample that gives it."""
    channel = demand.channel
    p = channel.rectilinear_probability
    if channel.has_decoys:
        length, sample = _decoy_length(demand, clicks)
    elif channel.compares_a_basis:
        length, sample = _worst_length(
            demand, int(_low_count(clicks * p**2)), int(_low_count(clicks * (1 - p) ** 2))
        )
    else:
        sifted = int(_low_count(clicks / 2))
        fractions = _FRACTIONS if demand.sample_fraction is None else (demand.sample_fraction,)
        samples = [int(fraction * sifted) for fraction in fractions]
        length, sample = max(_worst_length(demand, sifted - sample, sample) for sample in samples)
    return max(0, length - demand.authentication_bits), sample


def _worst_length(demand: Demand, key_bits: int, sample_bits: int) -> tuple[int, int]:
    if key_bits < 1 or sample_bits < 1:
        return 0, sample_bits
    error = _error_rate(demand.channel)
    length = tomamichel2012_length(
        key_bits=key_bits,
        sample_bits=sample_bits,
        qber=_rate_above(error, sample_bits),
        leaked_bits=_leak(key_bits, error),
        epsilon_sec=demand.epsilon_sec,
        epsilon_cor=demand.epsilon_cor,
        verification_bits=demand.verification_bits,
    )
    return length, sample_bits


def decoy_counts(channel: Channel, pulses: float, *, deviations: float = 0.0) -> tuple[DecoyCounts, ...]:
    """Return the counts expected of a link with decoys, each worse by so many standard deviations."""
    p = channel.rectilinear_probability
    found = []
    for index, (chance, intensity) in enumerate(channel.emissions):
        gain, error = channel.gain_at(intensity), channel.error_at(intensity)
        key, test = (pulses * chance * gain * share for share in (p**2, (1 - p) ** 2))
        # The bound falls with the clicks of the signal and of the weakest pulses, and rises with the decoy's.
        sign = -deviations if index == 1 else deviations
        worse = [max(0.0, mean + sign * math.sqrt(mean)) for mean in (key, test)]
        wrong = test * error + (deviations if index == 1 else -deviations) * math.sqrt(test * error)
        found.append(
            DecoyCounts(
                intensity=intensity or 0.0,
                probability=chance,
                key_clicks=round(worse[0]),
                test_clicks=round(worse[1]),
                test_errors=round(max(0.0, wrong)),
            )
        )
    return tuple(found)


def expected_single_photons(channel: Channel, pulses: int, epsilon_sec: float) -> float:
    """Return the lower bound of the single-photon clicks in the key basis that the decoys will show without Eve."""
    return lim2014_bounds(decoy_counts(channel, pulses), epsilon_sec=epsilon_sec).single


def _decoy_length(demand: Demand, clicks: float) -> tuple[int, int]:
    channel = demand.channel
    pulses = clicks / channel.gain if channel.gain else 0.0
    counts = decoy_counts(channel, pulses, deviations=_DECOY_DEVIATIONS)
    key_bits = clicks * channel.rectilinear_probability**2
    test_bits = clicks * (1 - channel.rectilinear_probability) ** 2
    if key_bits < 1 or test_bits < 1:
        return 0, 0
    length = lim2014_length(
        counts,
        leaked_bits=_leak(key_bits, _error_rate(channel)),
        epsilon_sec=demand.epsilon_sec,
        epsilon_cor=demand.epsilon_cor,
        verification_bits=demand.verification_bits,
    )
    return length, int(test_bits)
