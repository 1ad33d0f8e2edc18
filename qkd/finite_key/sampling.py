"""Random sampling without replacement, exactly: from the errors of a sample to those of the rest."""

import math
from typing import Any

import numpy as np
from scipy.special import gammaln

from qkd.bits import as_integer, as_number


def log_tail(total: int, *, population: int, sample: int, seen: int) -> float:
    """Return ln P[at most ``seen`` errors in the sample], of ``total`` errors in the population.

    Source: the hypergeometric distribution, summed term by term with logarithms of factorials.
    """
    least = max(0, sample - (population - total))
    if seen < least:
        return -math.inf
    errors = np.arange(least, min(seen, sample, total) + 1, dtype=np.float64)
    terms = _log_choose(total, errors) + _log_choose(population - total, sample - errors)
    largest = float(terms.max())
    summed = largest + math.log(float(np.exp(terms - largest).sum()))
    return min(0.0, summed - float(_log_choose(population, np.float64(sample))))


def most_errors(*, sample: int, rest: int, seen: int, epsilon: float) -> int:
    """Return how many errors the rest can have, save with probability ``epsilon``, when the sample has ``seen``.

    The largest number of errors in all whose chance to leave at most ``seen`` in a random sample exceeds ``epsilon``,
    less those seen.

    Args:
        sample: bits compared, > 0.
        rest: bits not compared, > 0.
        seen: errors among those compared, up to ``sample``.
        epsilon: (0, 1).

    Raises:
        ValueError: an argument outside its range.

    Source: inversion of the exact tail, as Clopper and Pearson (1934) for the binomial distribution.
    """
    as_integer("sample", sample, 1, 2**62)
    as_integer("rest", rest, 1, 2**62)
    as_integer("seen", seen, 0, sample)
    limit = math.log(as_number("epsilon", epsilon, 0, 1, open_low=True))
    low, high = seen, seen + rest  # low is possible, above high nothing is
    while low < high:
        middle = (low + high + 1) // 2
        if log_tail(middle, population=sample + rest, sample=sample, seen=seen) > limit:
            low = middle
        else:
            high = middle - 1
    return low - seen


def _log_choose(total: int, chosen: Any) -> Any:
    """Return ln of the binomial coefficient, element by element."""
    return gammaln(total + 1.0) - gammaln(chosen + 1.0) - gammaln(total - chosen + 1.0)
