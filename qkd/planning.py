"""How many pulses a key takes: the finite-key bound turned round, with room for bad luck."""

import math
from dataclasses import dataclass

from qkd.channel import Channel
from qkd.finite_key import binary_entropy, tomamichel2012_length

MAX_SIFTED_BITS = 1 << 24
"""Largest block of one session: about half a gigabyte of working memory and half a minute of one core."""

MAX_PULSES = 10**13
"""Longest quantum phase: three hours at 1 GHz."""

MEASURING_SIFTED_BITS = 4096
"""Block of a session that cannot give a key, run so that its error rate is known (within 1 % at two sigma)."""

# Each random quantity may be this many standard deviations worse than expected: one session in 10^6 falls short.
_DEVIATIONS = 5.0

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
        planned_length: key bits that the bound leaves in the worst case planned for.
    """

    feasible: bool
    reason: str | None
    pulses: int
    sample_bits: int
    expected_sifted: int
    expected_qber: float
    planned_length: int


@dataclass(frozen=True)
class _Demand:
    key_length: int
    channel: Channel
    epsilon_sec: float
    epsilon_cor: float
    verification_bits: int
    sample_fraction: float | None


def plan(
    *,
    key_length: int,
    channel: Channel,
    epsilon_sec: float,
    epsilon_cor: float,
    verification_bits: int,
    sample_fraction: float | None = None,
) -> Plan:
    """Find the least number of pulses whose worst planned case still leaves ``key_length`` bits.

    Args:
        key_length: bits wanted, > 0.
        channel: fibre and receiver, no Eve.
        epsilon_sec: secrecy.
        epsilon_cor: correctness.
        verification_bits: tag bits that verification will disclose.
        sample_fraction: of the sifted bits; None to choose the best. Not used with biased bases.

    Returns:
        A plan; an infeasible one says why, and holds the small block that measures the error rate.
    """
    demand = _Demand(key_length, channel, epsilon_sec, epsilon_cor, verification_bits, sample_fraction)
    error = channel.error_rate()
    most = MAX_SIFTED_BITS / channel.sifted_fraction
    most = min(most, channel.gain * MAX_PULSES)
    best = _best_length(demand, most)[0]
    if best < key_length:
        return _measuring_plan(demand, error, _refusal(demand, error, best))
    low, high = 0.0, most
    while high - low > max(1.0, 0.005 * high):  # half a percent of pulses more than needed is cheap
        middle = math.sqrt(max(low, 1.0) * high)
        if _best_length(demand, middle)[0] >= key_length:
            high = middle
        else:
            low = middle
    length, sample = _best_length(demand, high)
    return Plan(
        feasible=True,
        reason=None,
        pulses=_pulses_for(high, channel.gain),
        sample_bits=sample,
        expected_sifted=round(high * channel.sifted_fraction),
        expected_qber=error,
        planned_length=length,
    )


def _pulses_for(clicks: float, gain: float) -> int:
    if gain == 1:
        return math.ceil(clicks)
    return math.ceil((clicks + _DEVIATIONS * math.sqrt(clicks) + _DEVIATIONS**2) / gain)


def _measuring_plan(demand: _Demand, error: float, reason: str) -> Plan:
    channel = demand.channel
    clicks = MEASURING_SIFTED_BITS / channel.sifted_fraction
    pulses = min(math.ceil(clicks / max(channel.gain, 1e-300)), MAX_PULSES)
    sifted = round(pulses * channel.gain * channel.sifted_fraction)
    return Plan(False, reason, pulses, sifted // 2, sifted, error, 0)


def _refusal(demand: _Demand, error: float, best: int) -> str:
    if 1 - 2 * binary_entropy(error) <= 0:
        return (
            f"no key at an expected QBER of {error:.2%}: BB84 with one-way processing leaves secret bits only "
            "below 11.0 %"
        )
    reached = f"at most {best:,} bits" if best else "none"
    return (
        f"no key of {demand.key_length:,} bits at an expected QBER of {error:.2%} and {demand.channel.gain:.3g} "
        f"clicks per pulse: the largest block ({MAX_SIFTED_BITS:,} sifted bits, {MAX_PULSES:.0e} pulses) leaves "
        f"{reached}"
    )


def _below(mean: float) -> float:
    return max(0.0, mean - _DEVIATIONS * math.sqrt(mean))


def _rate_above(rate: float, count: int) -> float:
    """An observed rate that is not exceeded, up to the planned bad luck (Bernstein's inequality, rounded up)."""
    return min(
        0.5,
        rate + _DEVIATIONS * math.sqrt(rate * (1 - rate) / count) + _DEVIATIONS**2 / (3 * count) * (rate > 0),
    )


def _best_length(demand: _Demand, clicks: float) -> tuple[int, int]:
    """Worst planned length and the size of the sample that gives it."""
    p = demand.channel.rectilinear_probability
    if p != 0.5:
        return _worst_length(demand, int(_below(clicks * p**2)), int(_below(clicks * (1 - p) ** 2)))
    sifted = int(_below(clicks / 2))
    fractions = _FRACTIONS if demand.sample_fraction is None else (demand.sample_fraction,)
    return max(
        _worst_length(demand, sifted - sample, sample) for sample in (int(f * sifted) for f in fractions)
    )


def _worst_length(demand: _Demand, key_bits: int, sample_bits: int) -> tuple[int, int]:
    if key_bits < 1 or sample_bits < 1:
        return 0, sample_bits
    error = demand.channel.error_rate()
    leaked = _EFFICIENCY * key_bits * binary_entropy(_rate_above(error, key_bits)) + _EFFICIENCY_OVERHEAD_BITS
    length = tomamichel2012_length(
        key_bits=key_bits,
        sample_bits=sample_bits,
        qber=_rate_above(error, sample_bits),
        leaked_bits=math.ceil(leaked),
        epsilon_sec=demand.epsilon_sec,
        epsilon_cor=demand.epsilon_cor,
        verification_bits=demand.verification_bits,
    )
    return length, sample_bits
