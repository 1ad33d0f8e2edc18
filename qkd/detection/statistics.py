"""Statistical tests: each takes counts and returns exact p-values; none of them judges.

"Exact" means that the tail of the counts' own distribution is summed (binomial, hypergeometric), not that of a normal
or chi-square approximation, which at the small probabilities that convict is off by orders of magnitude.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from qkd.channel import Channel
from qkd.detection.evidence import Clicks, Evidence
from qkd.estimation import BasisCounts
from qkd.finite_key.sampling import log_tail

_STEPS = 60  # a dozen are usual

MIN_HISTORY = 4
"""Sessions of history below which a link's habits are unknown."""


def chi_square_expected(errors: int, compared: int, expected_qber: float) -> tuple[float, float]:
    """Run Pearson's test of errors and correct bits against an expected rate, as it is reported.

    An expected rate below half an error in the sample counts as half an error. The p-value is an approximation; at a
    stated 10^-6 it is 10^-3 in truth where few errors are expected. ``binomial_tails`` decides.

    Returns:
        Chi-square with one degree of freedom, and its p-value.

    Source: Pearson, Philosophical Magazine 50 (1900).
    """
    rate = min(max(expected_qber, 0.5 / compared), 1 - 0.5 / compared)
    expected = rate * compared
    chi_square = (errors - expected) ** 2 / (expected * (1 - rate))
    return chi_square, _chi_square_tail(chi_square)


def chi_square_bases(counts: BasisCounts) -> tuple[float, float] | None:
    """Run the 2x2 test of independence of error and basis, as it is reported; ``equal_rates`` decides.

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


def binomial_tails(count: int, total: int, rate: float) -> tuple[float, float]:
    """Return P[at most count] and P[at least count] of ``total`` independent events of probability ``rate``, [0, 1].

    Source: the regularised incomplete beta function, which is the binomial tail.
    """
    from scipy.special import betainc  # noqa: PLC0415 - scipy costs a cold start more than the rest of the package

    at_most = float(betainc(total - count, count + 1, 1 - rate)) if count < total else 1.0
    at_least = float(betainc(count, total - count + 1, rate)) if count else 1.0
    return at_most, at_least


def equal_rates(counts: BasisCounts) -> float | None:
    """Return the p-value of bases with the same error rate: twice the smaller tail, given all errors.

    Returns:
        None where one basis has no bit, or there is no error.

    Source: Fisher, J. R. Stat. Soc. 98 (1935): the hypergeometric distribution, which does not depend on the rate.
    """
    if not (counts.n_rect and counts.n_diag and counts.errors):
        return None
    few_rect, few_diag = (
        log_tail(counts.errors, population=counts.total, sample=sample, seen=seen)
        for sample, seen in ((counts.n_rect, counts.errors_rect), (counts.n_diag, counts.errors_diag))
    )
    return min(1.0, 2 * math.exp(min(few_rect, few_diag)))


def loss(evidence: Evidence) -> float | None:
    """Return the two-sided p-value of as many sifted clicks as the link explains; None where that is not known."""
    if evidence.link is None or not evidence.pulses or not evidence.clicks:
        return None
    clicked = sum(clicks.sifted for clicks in evidence.clicks)
    rate = evidence.link.gain * evidence.link.sifted_fraction
    return min(1.0, 2 * min(binomial_tails(clicked, evidence.pulses, rate)))


def intensity_shares(evidence: Evidence) -> list[tuple[float, float]]:
    """Return the tails of each weaker intensity's share of the clicks: P[at most so many], P[at least so many].

    Given all clicks, those of an intensity are binomial. Loss is no sign of Eve and is fitted to the sum of clicks, so
    that only the shares are tested: who splits photon numbers keeps the signal's clicks and loses the decoy's.

    Returns:
        One pair for the decoy and, of three intensities, one for the weakest; empty where clicks or link are not known.
    """
    link, clicks = evidence.link, evidence.clicks
    total = sum(one.sifted for one in clicks)
    if link is None or not evidence.pulses or not total:
        return []
    fitted = _with_gain(link, total / (evidence.pulses * link.sifted_fraction))
    gains = [chance * fitted.gain_at(intensity) for chance, intensity in fitted.emissions]
    if not sum(gains):
        return []
    return [
        binomial_tails(one.sifted, total, gain / sum(gains))
        for one, gain in zip(clicks[1:], gains[1:], strict=True)
    ]


def _with_gain(link: Channel, gain: float) -> Channel:
    """Return the link with the transmittance that gives so many clicks per pulse, between none and all.

    Regula falsi: the gain is nearly proportional to the transmittance, so that few links have to be made. An end that
    stays twice is weighed by half (Dowell & Jarratt, BIT 11 (1971), "Illinois").
    """
    low, high = 0.0, 1.0
    below, above = _at(link, low).gain - gain, _at(link, high).gain - gain
    if below >= 0 or above <= 0:
        return _at(link, low if below >= 0 else high)
    was_above: bool | None = None
    for _ in range(_STEPS):
        middle = (low * above - high * below) / (above - below)
        found = _at(link, middle)
        off = found.gain - gain
        if abs(off) <= 1e-14 * gain:
            return found
        if off > 0:
            high, above, below = middle, off, below / 2 if was_above is True else below
        else:
            low, below, above = middle, off, above / 2 if was_above is False else above
        was_above = off > 0
    return _at(link, high)


def _at(link: Channel, transmittance: float) -> Channel:
    return replace(
        link, detector_efficiency=max(transmittance, 1e-15), receiver_efficiency=1.0, distance_km=0.0
    )


def intensity_errors(evidence: Evidence) -> list[tuple[Clicks, float, float]]:
    """Return the compared bits of each intensity, the error rate expected of them, and P[at least so many errors]."""
    if evidence.link is None or not evidence.clicks:
        return []
    expected = [evidence.link.error_at(intensity) for _, intensity in evidence.link.emissions]
    return [
        (clicks, rate, binomial_tails(clicks.errors, clicks.compared, rate)[1])
        for clicks, rate in zip(evidence.clicks, expected, strict=True)
        if clicks.compared
    ]


def against_history(evidence: Evidence, history: Sequence[Evidence]) -> tuple[float, float] | None:
    """Return one-sided p-values of a sudden rise and of a gradual drift of the errors against the link's history.

    Every session is measured by its own expectation, so that different requests on one link do not look like a
    change. A rise sets the newest session against all before, a drift the later half, the newest included, against the
    earlier half. Each p-value is the larger of two:

    - given all errors, those of one side are binomial with its part of the expected errors, whatever multiple of the
      expectation the link's habit is (exact for Poisson counts, on the safe side for binomial ones);
    - Student's t on the square roots of the errors per expected error, which holds where the link's rate itself
      spreads from session to session.

    A p-value that is valid on a steady link and one that is valid on a restless one: the larger is valid on both.

    Args:
        evidence: the session judged.
        history: earlier sessions that were found clean, oldest first; those without compared bits are ignored.

    Returns:
        (p of a rise, p of a drift), or None with fewer than ``MIN_HISTORY`` earlier sessions.

    Source: Przyborowski & Wilenski, Biometrika 31 (1940), for the comparison of Poisson counts; Student (1908);
    Anscombe, Biometrika 35 (1948), for the square root.
    """
    past = [session for session in history if session.compared.total]
    if len(past) < MIN_HISTORY or not evidence.compared.total:
        return None
    sessions = [_measured(session) for session in [*past, evidence]]
    half = len(sessions) // 2
    return _later_is_worse(sessions[:-1], sessions[-1:]), _later_is_worse(sessions[:half], sessions[half:])


def _measured(session: Evidence) -> tuple[int, float]:
    """Return errors and expected errors of the compared bits; where none are expected, half an error is."""
    compared = session.compared
    return compared.errors, max(0.5, (session.expected_qber or 0.0) * compared.total)


def _later_is_worse(before: Sequence[tuple[int, float]], after: Sequence[tuple[int, float]]) -> float:
    from scipy.special import stdtr  # noqa: PLC0415 - as in ``binomial_tails``

    errors = sum(count for count, _ in before), sum(count for count, _ in after)
    expected = sum(weight for _, weight in before), sum(weight for _, weight in after)
    counted = binomial_tails(errors[1], sum(errors), expected[1] / sum(expected))[1]
    first, second = (
        [math.sqrt((count + 3 / 8) / weight) for count, weight in part] for part in (before, after)
    )
    freedom = len(first) + len(second) - 2
    means = sum(first) / len(first), sum(second) / len(second)
    squares = sum((x - means[0]) ** 2 for x in first) + sum((x - means[1]) ** 2 for x in second)
    spread = math.sqrt(squares / freedom * (1 / len(first) + 1 / len(second)))
    if not spread:
        return counted
    return max(counted, float(stdtr(freedom, -(means[1] - means[0]) / spread)))


def _chi_square_tail(chi_square: float) -> float:
    """Return P(chi-square with one degree of freedom > value)."""
    return math.erfc(math.sqrt(chi_square / 2))
