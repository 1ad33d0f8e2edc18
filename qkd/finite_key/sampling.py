"""What a count tells of what was not counted: exact tails of random sampling, and the tightest bound on expectations."""

import math
import sys

from qkd.bits import as_integer, as_number

# Terms of a tail that are summed one by one; the rest is bounded by a geometric series.
_TERMS = 64

# Of the logarithms of factorials, relative to the largest of them.
_ROUNDING = 8 * sys.float_info.epsilon


def log_tail(total: int, *, population: int, sample: int, seen: int) -> float:
    """Return ln P[at most ``seen`` errors in the sample], of ``total`` errors in the population, or a little above.

    The terms are summed from the largest number of errors downwards. Each is smaller than the last by a factor that
    falls too, so after ``_TERMS`` of them a geometric series bounds the rest.

    Source: the hypergeometric distribution.
    """
    least = max(0, sample - (population - total))
    if seen < least:
        return -math.inf
    if seen >= min(sample, total):
        return 0.0
    summed, term, ratio = 1.0, 1.0, 0.0
    for errors in range(seen, max(least, seen - _TERMS), -1):
        ratio = (
            errors * (population - total - sample + errors) / ((total - errors + 1) * (sample - errors + 1))
        )
        term *= ratio
        summed += term
    if seen - _TERMS > least:
        if ratio >= 1:
            return 0.0
        summed += term * ratio / (1 - ratio)
    largest = (
        _log_choose(total, seen)
        + _log_choose(population - total, sample - seen)
        - _log_choose(population, sample)
    )
    return min(0.0, largest + math.log(summed))


def most_errors(*, sample: int, rest: int, seen: int, epsilon: float) -> int:
    """Return how many errors the rest can have, save with probability ``epsilon``, when the sample has ``seen``.

    The largest number of errors in all whose chance to leave at most ``seen`` in a random sample exceeds ``epsilon``,
    less those seen. Rounding errors are on the side of more.

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
    population = sample + rest
    limit = math.log(as_number("epsilon", epsilon, 0, 1, open_low=True))
    limit -= _ROUNDING * math.lgamma(population + 1)

    def above(total: int) -> float:
        return log_tail(total, population=population, sample=sample, seen=seen) - limit

    low, high = seen, seen + rest + 1  # low is possible, high is not
    tried, before = _guess(sample, rest, seen, limit), (float(seen), -limit)
    for step in range(1, 200):
        if high - low <= 1:
            break
        middle = min(max(tried, low + 1), high - 1)
        value = above(middle)
        low, high = (middle, high) if value > 0 else (low, middle)
        # By the line through the last two; and every fourth time in the middle, so that neither end is stuck.
        slope = (value - before[1]) / (middle - before[0]) if middle != before[0] else 0.0
        if step % 4 == 0 or not math.isfinite(slope) or slope >= 0:
            tried = (low + high) // 2
        else:
            tried = math.ceil(middle - value / slope)
        before = (float(middle), value)
    return low - seen


def _guess(sample: int, rest: int, seen: int, limit: float) -> int:
    """Return about how many errors there are in all, by Wilson's interval with the variance of sampling from all."""
    z2 = max(0.0, -2 * limit - math.log(max(1.0, -4 * math.pi * limit))) * rest / (sample + rest)
    middle = seen + z2 / 2
    rate = (middle + math.sqrt(z2 * (seen * (1 - seen / sample) + z2 / 4))) / (sample + z2)
    return math.ceil(rate * (sample + rest))


def most_of(total: int, probability: float, epsilon: float) -> int:
    """Return how many of ``total`` independent events occur at most, save with probability ``epsilon``.

    The events may have any probabilities up to ``probability``. Rounding errors are on the side of more.

    Args:
        total: events, >= 0.
        probability: of each, [0, 1).
        epsilon: (0, 1).

    Raises:
        ValueError: an argument outside its range.

    Source: inversion of the exact binomial tail, whose terms above the mean are bounded by a geometric series.
    """
    as_integer("total", total, 0, 2**62)
    as_number("probability", probability, 0, 1)
    limit = math.log(as_number("epsilon", epsilon, 0, 1, open_low=True))
    if not probability or not total:
        return 0
    if probability == 1:
        return total
    limit -= _ROUNDING * math.lgamma(total + 1)
    mean = total * probability
    # P[more than high] is within epsilon: by Bernstein's inequality, exp(-t^2 / (2 (mean + t/3)))
    above = -limit / 3 + math.sqrt(limit**2 / 9 - 2 * mean * limit)
    low, high = math.floor(mean), min(total, math.ceil(mean + above))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _log_more(middle, total, probability) <= limit else (middle, high)
    return high


def _log_more(count: int, total: int, probability: float) -> float:
    """Return ln P[more than ``count``], or a little above; ``count`` is at least the mean."""
    first, odds = count + 1, probability / (1 - probability)
    if first > total:
        return -math.inf
    ratio = (total - first) / (first + 1) * odds  # of a term to the one before it; it falls
    if ratio >= 1:
        return 0.0
    largest = (
        _log_choose(total, first) + first * math.log(probability) + (total - first) * math.log1p(-probability)
    )
    return min(0.0, largest - math.log1p(-ratio))


def expected_range(count: int, total: int, epsilon: float) -> tuple[float, float]:
    """Bound the expectation of a count, on each side save with probability ``epsilon``.

    The count is a sum of ``total`` independent events of any probabilities. With a its mean and p that of the
    expectation, P <= exp(-n D(a || p)), which is inverted; it is below both exp(-2 n (a - p)^2), which is named after
    the same author, and the multiplicative Chernoff bounds.

    Args:
        count: events that occurred, 0 to ``total``.
        total: all of them.
        epsilon: (0, 1].

    Returns:
        Lower and upper bound, within 0 and ``total``.

    Source: Hoeffding, J. Am. Stat. Assoc. 58, 13 (1963), theorem 1, equation 2.1.
    """
    as_integer("total", total, 0, 2**62)
    as_integer("count", count, 0, total)
    as_number("epsilon", epsilon, 0, 1, open_low=True)
    if not total:
        return 0.0, 0.0
    divergence = -math.log(epsilon) / total
    low = _mean_below(count / total, divergence)
    high = 1 - _mean_below((total - count) / total, divergence)
    return total * low, total * high


def _mean_below(observed: float, divergence: float) -> float:
    """Solve D(observed || p) = divergence for p < observed; what is returned is never above the solution.

    Newton's method on a convex function, from where the divergence is larger, stays there.
    """
    if not observed:
        return 0.0
    # Each is below the solution: by ln y >= 1 - 1/y, by Pinsker's inequality, and by Chernoff's upper tail.
    found = max(
        observed * math.exp(-1 - divergence / observed),
        observed - math.sqrt(divergence / 2),
        observed + divergence / 2 - math.sqrt(2 * divergence * observed + divergence**2 / 4),
    )
    for _ in range(60):
        left = observed * math.log(observed / found) - divergence
        if observed < 1:
            left += (1 - observed) * math.log((1 - observed) / (1 - found))
        slope = observed / found - (1 - observed) / (1 - found)
        step = left / slope if slope > 0 else 0.0
        if step <= 1e-12 * found:
            break
        found += step
    return found


def _log_choose(total: int, chosen: int) -> float:
    """Return ln of the binomial coefficient."""
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
