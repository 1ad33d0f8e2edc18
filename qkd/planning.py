"""Plan how many pulses a key takes: the finite-key bound inverted, with a margin for bad luck."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from qkd.channel import Channel
from qkd.finite_key import binary_entropy
from qkd.optimisation import optimum
from qkd.worst_case import MAX_PULSES, MAX_SIFTED_BITS, Demand, best_length, pulses_of

MEASURING_SIFTED_BITS = 4096
"""Block of a session that cannot give a key, run so that its error rate is known (within 1 % at two sigma)."""


@dataclass(frozen=True)
class Plan:
    """How a session will be run.

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
        """Return the time that sending the pulses takes."""
        return self.pulses / pulse_rate_hz


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
    return plan_for(demand, optimise=optimise)


# A request first asks how long its session takes and then runs it, and a batch runs many alike: one search for all.
@lru_cache(maxsize=64)
def plan_for(demand: Demand, *, optimise: bool) -> Plan:
    """Find the plan for a demand; a repeated demand is answered from memory."""
    if optimise:
        demand = optimum(demand)
    clicks = demand.clicks()
    if math.isinf(clicks):
        return _measuring_plan(demand)
    length, sample = best_length(demand, clicks)
    return Plan(
        feasible=True,
        reason=None,
        pulses=math.ceil(clicks) if demand.channel.gain == 1 else pulses_of(demand.channel, clicks),
        sample_bits=sample,
        expected_sifted=round(clicks * demand.channel.sifted_fraction),
        expected_qber=demand.channel.error_rate(),
        planned_length=length,
        channel=demand.channel,
    )


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
    """Return the longest distance, to a kilometre, at which the link gives the wanted length; None if none does."""

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
