"""Statistical tests: each takes counts and returns p-values; none of them judges."""

import math
from collections.abc import Sequence

from qkd.estimation import BasisCounts

MIN_HISTORY = 8
"""Sessions of history below which a link's habits are unknown."""

_EWMA_WEIGHT = 0.25


def chi_square_expected(errors: int, compared: int, expected_qber: float) -> tuple[float, float]:
    """Run Pearson's test of errors and correct bits against an expected rate.

    An expected rate below half an error in the sample counts as half an error: the approximation, and a channel
    called perfect, would otherwise convict on a single error.

    Returns:
        Chi-square with one degree of freedom, and its p-value.

    Source: Pearson, Philosophical Magazine 50 (1900).
    """
    rate = min(max(expected_qber, 0.5 / compared), 1 - 0.5 / compared)
    expected = rate * compared
    chi_square = (errors - expected) ** 2 / (expected * (1 - rate))
    return chi_square, _chi_square_tail(chi_square)


def chi_square_bases(counts: BasisCounts) -> tuple[float, float] | None:
    """Run the 2x2 test of independence of error and basis.

    Returns:
        Chi-square with one degree of freedom, and its p-value; None where an expected cell is below 5, where the
        approximation does not hold.
    """
    errors, total = counts.errors, counts.total
    smaller = min(counts.n_rect, counts.n_diag)
    if not total or smaller * min(errors, total - errors) / total < 5:
        return None
    cross = counts.errors_rect * (counts.n_diag - counts.errors_diag) - counts.errors_diag * (
        counts.n_rect - counts.errors_rect
    )
    chi_square = total * cross**2 / (counts.n_rect * counts.n_diag * errors * (total - errors))
    return chi_square, _chi_square_tail(chi_square)


def drift(counts: BasisCounts, history: Sequence[BasisCounts]) -> tuple[float, float] | None:
    """Return one-sided p-values of a sudden rise and of a gradual drift of the QBER against the link's history.

    The first half of the history sets the habit: its pooled rate, and the spread between sessions beyond binomial
    noise. Later sessions are standardised against it; the newest is tested by itself (rise), and all of them by an
    exponentially weighted moving average (drift), which sees a slow slope that no single session shows.

    Args:
        counts: the session judged.
        history: earlier sessions that were found clean, oldest first; those without compared bits are ignored.

    Returns:
        (p of a rise, p of a drift), or None with fewer than ``MIN_HISTORY`` earlier sessions.

    Source: Roberts, Technometrics 1 (1959), for the moving average.
    """
    from scipy.special import ndtr  # noqa: PLC0415 - scipy costs a cold start more than the rest of the package

    past = [session for session in history if session.total]
    if len(past) < MIN_HISTORY or not counts.total:
        return None
    habit, recent = past[: len(past) // 2], [*past[len(past) // 2 :], counts]
    compared = sum(session.total for session in habit)
    # One error more than seen: a link that never erred still has a spread.
    rate = (sum(session.errors for session in habit) + 1) / (compared + 2)
    excess = _excess_variance(habit, rate)
    baseline = rate * (1 - rate) / compared + excess / len(habit)
    scores = [
        (session.qber - rate) / math.sqrt(rate * (1 - rate) / session.total + excess + baseline)
        for session in recent
    ]
    average = variance = 0.0
    for score in scores:
        average = (1 - _EWMA_WEIGHT) * average + _EWMA_WEIGHT * score
        variance = (1 - _EWMA_WEIGHT) ** 2 * variance + _EWMA_WEIGHT**2
    return float(ndtr(-scores[-1])), float(ndtr(-average / math.sqrt(variance)))


def _excess_variance(sessions: Sequence[BasisCounts], rate: float) -> float:
    """Return the variance between sessions beyond binomial noise, by the method of moments; at least 0."""
    observed = sum((session.qber - rate) ** 2 for session in sessions) / (len(sessions) - 1)
    binomial = sum(rate * (1 - rate) / session.total for session in sessions) / len(sessions)
    return max(0.0, observed - binomial)


def probability_above(counts: BasisCounts, rate: float) -> float:
    """Return the posterior probability, from a uniform prior, that the true error rate is above ``rate``."""
    from scipy.special import betainc  # noqa: PLC0415 - as in ``drift``

    return 1 - float(betainc(counts.errors + 1, counts.total - counts.errors + 1, rate))


def _chi_square_tail(chi_square: float) -> float:
    """Return P(chi-square with one degree of freedom > value)."""
    return math.erfc(math.sqrt(chi_square / 2))
