"""Secret bits per pulse against distance: asymptotic and finite rates of published analyses, and the limit of all.

Rates may be negative where there is no key: a zero crossing is a maximal distance (``maximal_distance``).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from qkd.bits import as_integer, as_number
from qkd.channel import MAX_INTENSITY, Channel
from qkd.finite_key import binary_entropy, lim2014_balance, lim2014_length
from qkd.optimisation import best_decoys
from qkd.worst_case import decoy_counts

MA2005_EFFICIENCY = 1.22
"""Error-correction efficiency that Ma et al. 2005 take for the GYS set-up."""

LIM2014_EFFICIENCY = 1.16
LIM2014_SECURITY = 1e-15
"""Error-correction efficiency and secrecy per key bit (kappa) that Lim et al. 2014 take."""

# Of the search: above -log of any rate that there is, so that every link with a key is better than those without.
_NO_KEY = 100.0


def plob_bound(transmittance: float) -> float:
    """Return the most secret bits per pulse that any protocol without a repeater reaches: -log2(1 - eta).

    Args:
        transmittance: of the whole link, [0, 1); 1 gives infinity.

    Raises:
        ValueError: outside [0, 1].

    Source: Pirandola, Laurenza, Ottaviani, Banchi, Nature Communications 8, 15043 (2017).
    """
    as_number("transmittance", transmittance, 0, 1)
    return math.inf if transmittance == 1 else -math.log1p(-transmittance) / math.log(2)


def at_distance(channel: Channel, distance_km: float) -> Channel:
    """Return the link with a fibre of another length, km."""
    return replace(channel, distance_km=distance_km)


def optimal_intensity(misalignment: float, *, efficiency: float = MA2005_EFFICIENCY) -> float:
    """Return the signal intensity that is best with perfect decoys and little background.

    Solves (1 - mu) exp(-mu) = f h(e_d) / (1 - h(e_d)); 0 where nothing does.

    Source: Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), equation 12.
    """
    as_number("misalignment", misalignment, 0, 0.5)
    as_number("efficiency", efficiency, 1, 10)
    entropy = binary_entropy(misalignment)
    wanted = math.inf if entropy == 1 else efficiency * entropy / (1 - entropy)
    low, high = 0.0, 1.0
    if wanted >= 1:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 - middle) * math.exp(-middle) > wanted else (low, middle)
    return low


def _gllp(
    channel: Channel, signal: float, single_gain: float, single_error: float, efficiency: float
) -> float:
    """Return -Q f h(E) + Q_1 (1 - h(e_1)), per pulse of equal bases."""
    gain, error = channel.gain_at(signal), channel.error_at(signal)
    return single_gain * (1 - binary_entropy(min(0.5, single_error))) - gain * efficiency * binary_entropy(
        error
    )


def decoy_asymptotic_rate(
    channel: Channel,
    distance_km: float,
    *,
    signal: float | None = None,
    efficiency: float = MA2005_EFFICIENCY,
    sifting: float = 0.5,
) -> float:
    """Return the secret bits per pulse of weak coherent pulses with infinitely many decoys and pulses.

    Args:
        channel: receiver and fibre; its own distance and intensities do not matter.
        distance_km: of fibre, 0 to 10,000.
        signal: mean photon number, (0, 2]; ``optimal_intensity`` if not given.
        efficiency: of the error correction, 1 to 10.
        sifting: part of the clicks that is kept, (0, 1].

    Returns:
        The rate; negative where there is no key.

    Raises:
        ValueError: an argument outside its range.

    Source: Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), equation 1.
    """
    there = at_distance(channel, distance_km)
    best = optimal_intensity(channel.misalignment, efficiency=efficiency)
    mu = best if signal is None else as_number("signal", signal, 0, MAX_INTENSITY, open_low=True)
    as_number("efficiency", efficiency, 1, 10)
    as_number("sifting", sifting, 0, 1, open_low=True)
    single_yield, single_error = there.gain_at(None), there.error_at(None)
    return sifting * _gllp(there, mu, single_yield * mu * math.exp(-mu), single_error, efficiency)


def vacuum_weak_bounds(channel: Channel, *, signal: float, decoy: float) -> tuple[float, float]:
    """Bound the yield (from below) and the error rate (from above) of single photons, by a vacuum and a weak decoy.

    Raises:
        ValueError: unless 0 < decoy < signal <= 2.

    Source: Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), equations 34 and 37.
    """
    mu = as_number("signal", signal, 0, MAX_INTENSITY, open_low=True)
    nu = as_number("decoy", decoy, 0, mu, open_low=True)
    if nu == mu:
        raise ValueError(f"decoy must be below the signal of {mu:g}")
    background = channel.gain_at(0.0)
    lowest = channel.gain_at(nu) * math.exp(nu) - channel.gain_at(mu) * math.exp(mu) * nu**2 / mu**2
    single = mu / (mu * nu - nu**2) * (lowest - (mu**2 - nu**2) / mu**2 * background)
    if single <= 0:
        return 0.0, 0.5
    wrong = channel.error_at(nu) * channel.gain_at(nu) * math.exp(nu) - background / 2
    return single, min(0.5, max(0.0, wrong / (single * nu)))


def vacuum_weak_rate(
    channel: Channel,
    distance_km: float,
    *,
    signal: float = 0.48,
    decoy: float = 0.05,
    efficiency: float = MA2005_EFFICIENCY,
    sifting: float = 0.5,
) -> float:
    """Return the secret bits per pulse with one weak decoy and the vacuum, and infinitely many pulses.

    Arguments and errors are those of ``decoy_asymptotic_rate``, and 0 < decoy < signal.

    Source: Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), equation 42.
    """
    there = at_distance(channel, distance_km)
    as_number("efficiency", efficiency, 1, 10)
    as_number("sifting", sifting, 0, 1, open_low=True)
    single, error = vacuum_weak_bounds(there, signal=signal, decoy=decoy)
    return sifting * _gllp(there, signal, single * signal * math.exp(-signal), error, efficiency)


@dataclass(frozen=True)
class FiniteRate:
    """A finite-key rate.

    Attributes:
        rate: secret bits per pulse, at least 0.
        length: secret bits of the block.
        pulses: that the block takes.
        channel: with the bias and intensities that are best.
    """

    rate: float
    length: int
    pulses: float
    channel: Channel


@dataclass(frozen=True)
class _Block:
    """What a finite-key rate is asked for; arguments are those of ``lim2014_rate``."""

    bits: int
    security: float
    epsilon_cor: float
    efficiency: float
    published: bool

    def pulses(self, link: Channel) -> float:
        """Return the pulses that fill the block."""
        return self.bits / (link.rectilinear_probability**2 * link.gain)

    def leaked(self, link: Channel) -> int:
        """Return the parities that error correction discloses."""
        return math.ceil(self.bits * self.efficiency * binary_entropy(link.error_rate()))

    def rate(self, link: Channel) -> FiniteRate:
        """Return the rate over a link as it is."""
        pulses, leaked = self.pulses(link), self.leaked(link)
        counts, length = decoy_counts(link, pulses), self.bits // 2
        for _ in range(3):  # epsilon and length depend on each other; the length moves by a few bits only
            length = lim2014_length(
                counts,
                leaked_bits=leaked,
                epsilon_sec=self.security * max(1, length),
                epsilon_cor=self.epsilon_cor,
                published=self.published,
            )
        return FiniteRate(length / pulses, length, pulses, link)

    def missing(self, link: Channel) -> float:
        """Return what lacks, per bit of the block, where there is no key."""
        left = lim2014_balance(
            decoy_counts(link, self.pulses(link)),
            epsilon_sec=self.security,
            leaked_bits=self.leaked(link),
            published=self.published,
        )
        return -left / self.bits

    def cost(self, link: Channel) -> float:
        """Return what the search makes small; where there is no key it goes to where the least is missing."""
        rate = self.rate(link).rate
        return -math.log(rate) if rate > 0 else _NO_KEY + self.missing(link)


def lim2014_rate(
    channel: Channel,
    distance_km: float,
    *,
    block_bits: int,
    security: float = LIM2014_SECURITY,
    epsilon_cor: float = 1e-15,
    efficiency: float = LIM2014_EFFICIENCY,
    published: bool = True,
) -> FiniteRate:
    """Return the secret bits per pulse from a block of sifted key-basis bits, with the best bias and intensities.

    Args:
        channel: with decoys; its weakest intensity is kept.
        distance_km: of fibre, 0 to 10,000.
        block_bits: n_X, bits of the block, 1 to 10^15.
        security: secrecy per key bit (kappa), (0, 0.01]; epsilon_sec is kappa times the length.
        epsilon_cor: correctness, (0, 0.01].
        efficiency: of the error correction, 1 to 10.
        published: take the published tails instead of the tighter ones that sessions take.

    Raises:
        ValueError: an argument outside its range, or a channel without decoys.

    Source: Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014), section IV.
    """
    if len(channel.intensities) != 3:
        raise ValueError("channel must have three intensities")
    as_integer("block_bits", block_bits, 1, 10**15)
    as_number("security", security, 0, 0.01, open_low=True)
    as_number("efficiency", efficiency, 1, 10)

    block = _Block(block_bits, security, epsilon_cor, efficiency, published)
    return block.rate(best_decoys(at_distance(channel, distance_km), block.cost, starts=4))


def maximal_distance(rate: Callable[[float], float], *, longest_km: float = 1000.0) -> float:
    """Return the distance in km, to 10 m, up to which a falling rate is positive; 0 if it is positive nowhere."""
    low, high = 0.0, longest_km
    if rate(low) <= 0:
        return 0.0
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if rate(middle) > 0 else (low, middle)
    return low
