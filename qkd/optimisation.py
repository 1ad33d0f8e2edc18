"""The basis bias and the intensities with which a link gives a key in the fewest pulses."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qkd.channel import Channel
from qkd.worst_case import Demand, best_length

# A plan that reaches nothing costs more than any that does (10^13 pulses are e^30), the less the nearer it comes.
_UNREACHED = 60.0

# Where searches begin: bias, probabilities of signal and decoy, their intensities, as ``_inside`` takes them. The
# second is for long blocks, with most pulses in the key basis and at the signal's intensity; the others for short ones.
_STARTS = (
    (1.5, 0.5, 1.0, -0.2, -1.5),
    (3.6, 2.0, 0.5, 0.0, -1.0),
    (0.2, -3.5, 1.9, 0.1, -1.5),
    (-2.0, -3.0, 0.2, -0.1, -1.4),
)


def optimum(demand: Demand) -> Demand:
    """Return the demand with the best bias, and the best intensities where its channel has decoys."""
    channel = demand.channel

    def cost(candidate: Channel) -> float:
        tried = replace(demand, channel=candidate)
        clicks = tried.clicks()
        if math.isinf(clicks):
            return _UNREACHED - 1e-9 * best_length(tried, tried.most_clicks())[0]
        return math.log(clicks / candidate.gain)

    if channel.has_decoys:
        return replace(demand, channel=best_decoys(channel, cost, starts=len(_STARTS)))
    biases = (0.5, 0.6, 0.7, 0.75, 0.8, 0.84, 0.87, 0.9, 0.92, 0.94, 0.96, 0.97, 0.98, 0.985, 0.99)
    candidates = [replace(channel, rectilinear_probability=bias) for bias in biases]
    return replace(demand, channel=min(candidates, key=cost))


def best_decoys(
    channel: Channel, cost: Callable[[Channel], float], *, starts: int = 1, evaluations: int = 600
) -> Channel:
    """Find the bias, the two upper intensities and their probabilities that cost least, and return the link with them.

    The weakest of three intensities is kept: modulators reach zero no better than they do. A search by simplex may end in a local
    optimum, so the best of several ``starts`` (1 to 4) is taken, and begun again from where it ended.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - scipy costs a cold start more than the rest of the package

    one = len(channel.intensities) == 2
    weakest = 0.0 if one else channel.intensities[2]

    def candidate(x: list[float]) -> Channel:
        # Short blocks far away need more bits in the basis that is compared than in that of the key.
        bias, first, second = _inside(x[0], 0.01, 0.99), _inside(x[1], 0.005, 0.97), _inside(x[2], 0.02, 0.98)
        signal = _inside(x[3], max(0.05, 4 * weakest), 1.0)
        decoy = _inside(x[4], 2 * weakest + 0.005, signal - weakest - 0.005)
        if one:
            return replace(
                channel,
                rectilinear_probability=bias,
                intensities=(signal, decoy),
                intensity_probabilities=(first, 1 - first),
            )
        chances = (first, (1 - first) * second, (1 - first) * (1 - second))
        return replace(
            channel,
            rectilinear_probability=bias,
            intensities=(signal, decoy, weakest),
            intensity_probabilities=chances,
        )

    def objective(x: NDArray[np.float64]) -> float:
        return cost(candidate(x.tolist()))

    def search(start: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        found = minimize(
            objective,
            start,
            method="Nelder-Mead",
            options={"maxfev": evaluations, "xatol": 0.01, "fatol": 1e-4},
        )
        return float(found.fun), found.x

    best = min((search(np.array(start)) for start in _STARTS[:starts]), key=lambda found: found[0])
    if starts > 1:
        best = min(best, search(best[1]), key=lambda found: found[0])
    return candidate(best[1].tolist())


def _inside(x: float, low: float, high: float) -> float:
    """Map any real number into (low, high)."""
    return low + (high - low) / (1 + math.exp(-max(-50.0, min(50.0, x))))
