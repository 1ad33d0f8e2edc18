"""Bound the key that a link gives even where its counts are worse than expected."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from qkd.channel import Channel
from qkd.finite_key import (
    IDEAL,
    DecoyCounts,
    Devices,
    OneDecoyCounts,
    binary_entropy,
    lim2014_bounds,
    lim2014_length,
    rusca2018_bounds,
    rusca2018_length,
    single_photon_length,
)

MAX_SIFTED_BITS = 1 << 24
"""Largest block of one session: about half a gigabyte of working memory and half a minute of one core."""

MAX_PULSES = 10**13
"""Longest quantum phase: three hours at 1 GHz."""

# Each random quantity may be this many standard deviations worse than expected: one session in 10^6 falls short.
DEVIATIONS = 5.0
# All clicks of a decoy session at their worst together are rarer than any of them alone.
_DECOY_DEVIATIONS = 3.0

# Disclosed parities: what was measured of the low-latency mode, the wider one, on 600 to 200,000 bits at 0.1 to 9 %.
_EFFICIENCY, _EFFICIENCY_PER_ERROR_RATE = 1.05, 0.35
_EFFICIENCY_OVERHEAD_BITS = 40
_LEAK_SPREAD = 1.2  # of its standard deviation, over that of n h(Q)
_FRACTIONS = tuple(step / 40 for step in range(1, 25))
_COARSE = 4


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
        if not self._reached_by(high):
            return math.inf
        low = 0.0
        while high - low > max(1.0, 0.005 * high):  # half a percent of pulses more than needed is cheap
            middle = math.sqrt(max(low, 1.0) * high)
            if self._reached_by(middle):
                high = middle
            else:
                low = middle
        return high

    def _reached_by(self, clicks: float) -> bool:
        return best_length(self, clicks, enough=self.key_length)[0] >= self.key_length


def devices_of(channel: Channel, pulses: int) -> Devices:
    """Return the imperfections for which a session of so many pulses is bounded."""
    if not channel.efficiency_mismatch and not channel.source_defect:
        return IDEAL
    p = channel.rectilinear_probability
    # Of a random sample it is not known whose pulses are tagged: all of them may be of either part
    chances = (p**2, (1 - p) ** 2) if channel.compares_a_basis else (0.5, 0.5)
    return Devices(
        efficiency_mismatch=float(channel.efficiency_mismatch),
        source_defect=float(channel.source_defect),
        pulses=pulses,
        key_chance=chances[0],
        sample_chance=chances[1],
    )


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


def _leak(key_bits: float, error: float, *, deviations: float = 0.0) -> int:
    """Return the parities that reconciliation discloses, or does not exceed but for so many deviations."""
    efficiency = _EFFICIENCY + _EFFICIENCY_PER_ERROR_RATE * error
    mean = efficiency * key_bits * binary_entropy(error) + _EFFICIENCY_OVERHEAD_BITS
    if not deviations:
        return math.ceil(mean)
    entropy = binary_entropy(_rate_above(error, key_bits))
    above = efficiency * key_bits * entropy + _EFFICIENCY_OVERHEAD_BITS - mean
    return math.ceil(mean + _LEAK_SPREAD * above)


def best_length(demand: Demand, clicks: float, *, enough: float = math.inf) -> tuple[int, int]:
    """Return the worst planned key length from so many clicks, and the size of the sample that gives it.

    Once a sample leaves ``enough`` bits no better one is looked for: a search for a length asks for no more.
    """
    channel = demand.channel
    p = channel.rectilinear_probability
    if channel.has_decoys:
        length, sample = _decoy_length(demand, clicks)
    elif channel.compares_a_basis:
        pulses = pulses_of(channel, clicks)
        length, sample = _worst_length(
            demand, clicks * p**2, clicks * (1 - p) ** 2, counted=True, pulses=pulses
        )
    else:
        length, sample = _best_sample(demand, clicks / 2, enough + demand.authentication_bits)
    return max(0, length - demand.authentication_bits), sample


def pulses_of(channel: Channel, clicks: float) -> int:
    """Return the pulses that are sent for so many clicks, those for bad luck among them."""
    if not channel.gain:
        return 0
    return math.ceil((clicks + DEVIATIONS * math.sqrt(clicks) + DEVIATIONS**2) / channel.gain)


def _best_sample(demand: Demand, sifted: float, enough: float) -> tuple[int, int]:
    """Try a few fractions, then those between the best and its neighbours: the length has one peak over them."""
    pulses = pulses_of(demand.channel, 2 * sifted)

    def tried(fractions: Iterable[float]) -> tuple[int, int, float]:
        best = (-1, 0, 0.0)
        for fraction in fractions:
            sample = int(fraction * _low_count(sifted))
            length, _ = _worst_length(demand, sifted - sample, sample, counted=False, pulses=pulses)
            best = max(best, (length, sample, fraction))
            if length >= enough:
                break
        return best

    if demand.sample_fraction is not None:
        return tried([demand.sample_fraction])[:2]
    coarse = tried(_FRACTIONS[_COARSE // 2 :: _COARSE])
    if coarse[0] >= enough:
        return coarse[:2]
    middle = _FRACTIONS.index(coarse[2])
    return max(coarse, tried(_FRACTIONS[max(0, middle - _COARSE + 1) : middle + _COARSE]))[:2]


def _worst_length(
    demand: Demand, key: float, sample: float, *, counted: bool, pulses: int
) -> tuple[int, int]:
    """Return the length that independent bad luck leaves, and the size of the sample.

    Fewer sifted bits, fewer of the compared basis, more errors in the sample and a longer leak: each costs what it
    does at its worst, and together the root of the sum of squares, since they are independent.

    Args:
        demand: what is asked.
        key: sifted bits of the key, expected.
        sample: bits compared: a number agreed on, or that of a basis, expected.
        counted: the latter.
        pulses: that give them.
    """
    error, deviation = _error_rate(demand.channel), DEVIATIONS
    devices = devices_of(demand.channel, pulses)
    fewer = _low_count(key) if counted else key - deviation * math.sqrt(key + sample)
    if fewer < 1 or sample < 1:
        return 0, int(sample)

    def length(key_bits: float, sample_bits: float, rate: float) -> int:
        return single_photon_length(
            key_bits=int(key_bits),
            sample_bits=int(sample_bits),
            errors=min(int(sample_bits), math.ceil(rate * int(sample_bits))),
            leaked_bits=_leak(key_bits, error),
            epsilon_sec=demand.epsilon_sec,
            epsilon_cor=demand.epsilon_cor,
            verification_bits=demand.verification_bits,
            devices=devices,
        )

    expected = length(key, sample, error)
    if expected <= 0:
        return 0, int(sample)
    costs = [
        expected - length(fewer, sample, error),
        expected - length(key, sample, _rate_above(error, sample)),
        _leak(key, error, deviations=deviation) - _leak(key, error),
    ]
    if counted and (fewest := _low_count(sample)) >= 1:
        costs.append(expected - length(key, fewest, error))
    return math.floor(expected - math.hypot(*costs)), int(sample)


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


def one_decoy_counts(
    channel: Channel, pulses: float, *, deviations: float = 0.0, fewer_errors: bool = False
) -> tuple[OneDecoyCounts, ...]:
    """Return the counts expected of a link with one decoy, each worse by so many standard deviations.

    The bound falls with the clicks of the signal and rises with the decoy's; with the errors of the signal it falls, and
    with the decoy's it may do either: few of them leave more errors to single photons, many of them more empty pulses.
    """
    p = channel.rectilinear_probability
    found = []
    for index, (chance, intensity) in enumerate(channel.emissions):
        gain, error = channel.gain_at(intensity), channel.error_at(intensity)
        key, test = (pulses * chance * gain * share for share in (p**2, (1 - p) ** 2))
        sign = -deviations if index else deviations
        key_clicks, test_clicks = (max(0.0, mean + sign * math.sqrt(mean)) for mean in (key, test))
        down = -deviations if index and fewer_errors else deviations
        wrong = max(0.0, test * error + down * math.sqrt(test * error))
        found.append(
            OneDecoyCounts(
                intensity=intensity or 0.0,
                probability=chance,
                key_clicks=round(key_clicks),
                key_errors=min(round(key_clicks), round(key * error + deviations * math.sqrt(key * error))),
                test_clicks=round(test_clicks),
                test_errors=min(round(test_clicks), round(wrong)),
            )
        )
    return tuple(found)


def expected_single_photons(channel: Channel, pulses: int, epsilon_sec: float) -> float:
    """Return the lower bound of the single-photon clicks in the key basis that the decoys will show without Eve."""
    devices = devices_of(channel, pulses)
    if len(channel.intensities) == 2:
        counts = one_decoy_counts(channel, pulses)
        return rusca2018_bounds(counts, epsilon_sec=epsilon_sec, devices=devices).single
    decoys = decoy_counts(channel, pulses)
    return lim2014_bounds(decoys, epsilon_sec=epsilon_sec, devices=devices).single


def _decoy_length(demand: Demand, clicks: float) -> tuple[int, int]:
    channel = demand.channel
    pulses = clicks / channel.gain if channel.gain else 0.0
    key_bits = clicks * channel.rectilinear_probability**2
    test_bits = clicks * (1 - channel.rectilinear_probability) ** 2
    if key_bits < 1 or test_bits < 1:
        return 0, 0
    costs = {
        "leaked_bits": _leak(key_bits, _error_rate(channel), deviations=DEVIATIONS),
        "epsilon_sec": demand.epsilon_sec,
        "epsilon_cor": demand.epsilon_cor,
        "verification_bits": demand.verification_bits,
        "devices": devices_of(channel, pulses_of(channel, clicks)),
    }
    if len(channel.intensities) == 2:
        length = min(
            rusca2018_length(
                one_decoy_counts(channel, pulses, deviations=_DECOY_DEVIATIONS, fewer_errors=fewer),
                **costs,  # type: ignore[arg-type] # counts are integers
            )
            for fewer in (False, True)
        )
    else:
        counts = decoy_counts(channel, pulses, deviations=_DECOY_DEVIATIONS)
        length = lim2014_length(counts, **costs)  # type: ignore[arg-type] # counts are integers
    return length, int(test_bits)
