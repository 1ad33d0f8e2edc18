"""How many pulses a key takes: the finite-key bound turned round, with room for bad luck."""

import math
from dataclasses import dataclass, replace

from qkd.channel import Channel
from qkd.finite_key import DecoyCounts, binary_entropy, lim2014_bounds, lim2014_length, tomamichel2012_length

MAX_SIFTED_BITS = 1 << 24
"""Largest block of one session: about half a gigabyte of working memory and half a minute of one core."""

MAX_PULSES = 10**13
"""Longest quantum phase: three hours at 1 GHz."""

MEASURING_SIFTED_BITS = 4096
"""Block of a session that cannot give a key, run so that its error rate is known (within 1 % at two sigma)."""

# Each random quantity may be this many standard deviations worse than expected: one session in 10^6 falls short.
_DEVIATIONS = 5.0
# All clicks of a decoy session at their worst together are rarer than any of them alone.
_DECOY_DEVIATIONS = 3.0

# Disclosed parities over n h(Q): Cascade stays below 1.06 on long frames, and below 1.2 plus a few dozen parities
# (the passes over random halves) on frames of some thousand bits.
_EFFICIENCY = 1.07
_EFFICIENCY_OVERHEAD_BITS = 60
_FRACTIONS = tuple(step / 40 for step in range(1, 25))


@dataclass(frozen=True)
class Plan:
    """What a session will do.

    Attributes:
        feasible: the wanted length will be reached, barring Eve and one unlucky session in 10^6.
        reason: why not, or None.
        pulses: to send.
        sample_bits: to compare, where the sample is random (see ``Channel.rectilinear_probability``).
        expected_sifted: sifted bits expected.
        expected_qber: error rate expected without Eve.
        planned_length: key bits that the bound leaves in the worst case planned for, authentication paid.
        channel: the link, with the bias and intensities that the plan chose if it was asked to.
    """

    feasible: bool
    reason: str | None
    pulses: int
    sample_bits: int
    expected_sifted: int
    expected_qber: float
    planned_length: int
    channel: Channel

    def seconds(self, pulse_rate_hz: float) -> float:
        """Time that sending the pulses takes."""
        return self.pulses / pulse_rate_hz


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
        """Clicks of the largest session."""
        return min(MAX_SIFTED_BITS / self.channel.sifted_fraction, self.channel.gain * MAX_PULSES)

    def clicks(self) -> float:
        """Fewest clicks that leave the wanted length in the worst planned case; infinite if none does."""
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


def plan(
    *,
    key_length: int,
    channel: Channel,
    epsilon_sec: float,
    epsilon_cor: float,
    verification_bits: int,
    authentication_bits: int = 0,
    sample_fraction: float | None = None,
    optimise: bool = False,
) -> Plan:
    """Find the least number of pulses whose worst planned case still leaves ``key_length`` bits.

    Args:
        key_length: bits wanted, > 0.
        channel: the link, no Eve.
        epsilon_sec: secrecy.
        epsilon_cor: correctness.
        verification_bits: tag bits that verification will disclose.
        authentication_bits: that come off the yield.
        sample_fraction: of the sifted bits; None to choose the best. Not used with biased bases or decoys.
        optimise: choose the basis bias and the intensities that take the fewest pulses.

    Returns:
        A plan; an infeasible one says why, and holds the small block that measures the error rate.
    """
    demand = Demand(
        key_length, channel, epsilon_sec, epsilon_cor, verification_bits, authentication_bits, sample_fraction
    )
    if optimise:
        from qkd.optimisation import optimised  # noqa: PLC0415 - it asks this module

        demand = optimised(demand)
    clicks = demand.clicks()
    if math.isinf(clicks):
        return _measuring_plan(demand)
    length, sample = best_length(demand, clicks)
    return Plan(
        feasible=True,
        reason=None,
        pulses=_pulses_for(clicks, demand.channel.gain),
        sample_bits=sample,
        expected_sifted=round(clicks * demand.channel.sifted_fraction),
        expected_qber=demand.channel.error_rate(),
        planned_length=length,
        channel=demand.channel,
    )


def _pulses_for(clicks: float, gain: float) -> int:
    if gain == 1:
        return math.ceil(clicks)
    return math.ceil((clicks + _DEVIATIONS * math.sqrt(clicks) + _DEVIATIONS**2) / gain)


def _measuring_plan(demand: Demand) -> Plan:
    channel = demand.channel
    clicks = MEASURING_SIFTED_BITS / channel.sifted_fraction
    pulses = min(math.ceil(clicks / max(channel.gain, 1e-300)), MAX_PULSES)
    sifted = round(pulses * channel.gain * channel.sifted_fraction)
    return Plan(False, _refusal(demand), pulses, sifted // 2, sifted, channel.error_rate(), 0, channel)


def _refusal(demand: Demand) -> str:
    channel, error = demand.channel, demand.channel.error_rate()
    if channel.distance_km and (limit := _distance_limit(demand)) is not None:
        return (
            f"no key of {demand.key_length:,} bits at {channel.distance_km:g} km with these detectors: the limit is "
            f"{limit:.0f} km (largest block {MAX_SIFTED_BITS:,} sifted bits, {MAX_PULSES:.0e} pulses)"
        )
    if 1 - 2 * binary_entropy(error) <= 0:
        return (
            f"no key at an expected QBER of {error:.2%}: BB84 with one-way processing leaves secret bits only "
            "below 11.0 %"
        )
    best = best_length(demand, demand.most_clicks())[0]
    reached = f"at most {best:,} bits" if best else "none"
    return (
        f"no key of {demand.key_length:,} bits at an expected QBER of {error:.2%} and {channel.gain:.3g} "
        f"clicks per pulse: the largest block ({MAX_SIFTED_BITS:,} sifted bits, {MAX_PULSES:.0e} pulses) leaves "
        f"{reached}"
    )


def _distance_limit(demand: Demand) -> float | None:
    """Longest distance, to a kilometre, at which the link gives the wanted length; None if none does."""

    def reaches(distance_km: float) -> bool:
        there = replace(demand, channel=replace(demand.channel, distance_km=distance_km))
        return best_length(there, there.most_clicks())[0] >= demand.key_length

    if not reaches(0):
        return None
    low, high = 0.0, demand.channel.distance_km
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (middle, high) if reaches(middle) else (low, middle)
    return low


def _below(mean: float, deviations: float = _DEVIATIONS) -> float:
    return max(0.0, mean - deviations * math.sqrt(mean))


def _rate_above(rate: float, count: float) -> float:
    """An observed rate that is not exceeded, up to the planned bad luck (Bernstein's inequality, rounded up)."""
    return min(
        0.5,
        rate + _DEVIATIONS * math.sqrt(rate * (1 - rate) / count) + _DEVIATIONS**2 / (3 * count) * (rate > 0),
    )


def _leak(key_bits: float, error: float) -> int:
    entropy = binary_entropy(_rate_above(error, key_bits))
    return math.ceil(_EFFICIENCY * key_bits * entropy + _EFFICIENCY_OVERHEAD_BITS)


def best_length(demand: Demand, clicks: float) -> tuple[int, int]:
    """Worst planned key length from so many clicks, and the size of the sample that gives it."""
    channel = demand.channel
    p = channel.rectilinear_probability
    if channel.has_decoys:
        length, sample = _decoy_length(demand, clicks)
    elif channel.compares_a_basis:
        length, sample = _worst_length(demand, int(_below(clicks * p**2)), int(_below(clicks * (1 - p) ** 2)))
    else:
        sifted = int(_below(clicks / 2))
        fractions = _FRACTIONS if demand.sample_fraction is None else (demand.sample_fraction,)
        samples = [int(fraction * sifted) for fraction in fractions]
        length, sample = max(_worst_length(demand, sifted - sample, sample) for sample in samples)
    return max(0, length - demand.authentication_bits), sample


def _worst_length(demand: Demand, key_bits: int, sample_bits: int) -> tuple[int, int]:
    if key_bits < 1 or sample_bits < 1:
        return 0, sample_bits
    error = demand.channel.error_rate()
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
    """Counts expected of a link with decoys, or such as are worse by so many standard deviations each."""
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
    """Lower bound of the single-photon clicks in the key basis that the decoys will show without Eve."""
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
        leaked_bits=_leak(key_bits, channel.error_rate()),
        epsilon_sec=demand.epsilon_sec,
        epsilon_cor=demand.epsilon_cor,
        verification_bits=demand.verification_bits,
    )
    return length, int(test_bits)
