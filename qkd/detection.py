"""Was somebody listening? Pure statistics on a session's error counts and on the link's history.

``judge`` never sees a key. A verdict of *compromised* means: the error rate is above the threshold, or the errors
are more than the channel explains, or they depend on the basis as no honest channel of ours makes them. A *drift*
away from the link's own history is reported as an anomaly before it comes to that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from qkd.bits import checked_number
from qkd.estimation import BasisCounts, Interval, qber_interval

DEFAULT_THRESHOLD = 0.11
"""QBER above which one-way BB84 has no secret bit left: 1 - 2 h(Q) = 0 at 11.0 %."""

DEFAULT_SIGNIFICANCE = 1e-6
"""p-value below which a test convicts: at 1,000 sessions a day one false alarm in three years."""

DRIFT_SIGNIFICANCE = 1e-4
"""p-value below which a drift is reported: it convicts nobody, so it may speak earlier."""

MIN_HISTORY = 8
"""Sessions of history below which a link's habits are unknown."""

_EWMA_WEIGHT = 0.25


class ReasonCode(StrEnum):
    """Why a verdict is what it is, for machines."""

    NO_DATA = "no_data"
    QBER_ABOVE_THRESHOLD = "qber_above_threshold"
    ERRORS_ABOVE_EXPECTED = "errors_above_expected"
    BASIS_DEPENDENT_ERRORS = "basis_dependent_errors"
    SUDDEN_RISE = "sudden_rise"
    GRADUAL_DRIFT = "gradual_drift"


CONVICTING = frozenset(
    {ReasonCode.QBER_ABOVE_THRESHOLD, ReasonCode.ERRORS_ABOVE_EXPECTED, ReasonCode.BASIS_DEPENDENT_ERRORS}
)


@dataclass(frozen=True)
class Reason:
    """One reason: a code for machines and a sentence for people."""

    code: ReasonCode
    detail: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the statistics say of a session.

    Attributes:
        qber: recalculated from the counts.
        interval: its 99 % Clopper-Pearson interval; None where nothing was compared.
        chi_square: errors observed against expected, one degree of freedom; 0 where nothing was expected.
        p_values: by test: "expected" (chi-square, two-sided), "basis" (2x2 independence), "rise" and "drift"
            (against the history, one-sided). A test that could not be made is absent.
        is_compromised: a convicting reason was found; the key must not be used.
        is_anomalous: any reason was found, drift included.
        confidence_level: in [0, 1]. Compromised: 1 - p of the strongest convicting test, for the threshold the
            posterior probability (uniform prior) that the true rate is above it. Clean: that it is not above it.
        reasons: in the order of the tests; empty if there is nothing to say.
    """

    qber: float
    interval: Interval | None
    chi_square: float
    p_values: dict[str, float] = field(default_factory=dict)
    is_compromised: bool
    is_anomalous: bool
    confidence_level: float
    reasons: tuple[Reason, ...] = ()


def chi_square_expected(errors: int, compared: int, expected_qber: float) -> tuple[float, float]:
    """Pearson's test of errors and correct bits against an expected rate.

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
    """2x2 test of independence of error and basis.

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
    """One-sided p-values of a sudden rise and of a gradual drift of the QBER against the link's history.

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


def judge(
    counts: BasisCounts,
    *,
    expected_qber: float | None,
    threshold: float = DEFAULT_THRESHOLD,
    history: Sequence[BasisCounts] = (),
    significance: float = DEFAULT_SIGNIFICANCE,
) -> Verdict:
    """Judge a session by its counts.

    Args:
        counts: compared bits and errors per basis.
        expected_qber: of the channel without Eve, [0, 0.5]; None where it is not known.
        threshold: QBER above which the session counts as compromised, (0, 0.5].
        history: earlier clean sessions of the link, oldest first.
        significance: p-value below which a test convicts, (0, 1].

    Raises:
        ValueError: an argument outside its range.
    """
    checked_number("threshold", threshold, 0, 0.5, open_low=True)
    checked_number("significance", significance, 0, 1, open_low=True)
    if expected_qber is not None:
        checked_number("expected_qber", expected_qber, 0, 0.5)
    if not counts.total:
        nothing = Reason(ReasonCode.NO_DATA, "no bits were compared")
        return Verdict(
            qber=0.0,
            interval=None,
            chi_square=0.0,
            is_compromised=False,
            is_anomalous=True,
            confidence_level=0.0,
            reasons=(nothing,),
        )
    return _Tests(counts, threshold, significance).verdict(expected_qber, history)


class _Tests:
    """The tests of one session, and what they found."""

    def __init__(self, counts: BasisCounts, threshold: float, significance: float) -> None:
        self.counts = counts
        self.threshold = threshold
        self.significance = significance
        self.p_values: dict[str, float] = {}
        self.reasons: list[Reason] = []
        self.convictions: list[float] = []

    def verdict(self, expected_qber: float | None, history: Sequence[BasisCounts]) -> Verdict:
        counts = self.counts
        above = _probability_above(counts, self.threshold)
        if counts.qber > self.threshold:
            self._convict(
                ReasonCode.QBER_ABOVE_THRESHOLD,
                f"QBER {counts.qber:.2%} is above the threshold of {self.threshold:.2%}",
                above,
            )
        chi_square = 0.0 if expected_qber is None else self._against_expected(expected_qber)
        self._between_bases()
        self._against_history(history)
        return Verdict(
            qber=counts.qber,
            interval=qber_interval(counts.errors, counts.total),
            chi_square=chi_square,
            p_values=self.p_values,
            is_compromised=bool(self.convictions),
            is_anomalous=bool(self.reasons),
            confidence_level=max(self.convictions) if self.convictions else 1 - above,
            reasons=tuple(self.reasons),
        )

    def _convict(self, code: ReasonCode, detail: str, confidence: float) -> None:
        self.reasons.append(Reason(code, detail))
        self.convictions.append(confidence)

    def _against_expected(self, expected_qber: float) -> float:
        chi_square, p = chi_square_expected(self.counts.errors, self.counts.total, expected_qber)
        self.p_values["expected"] = p
        # Fewer errors than expected are a wrong expectation, not an eavesdropper.
        if p < self.significance and self.counts.qber > expected_qber:
            self._convict(
                ReasonCode.ERRORS_ABOVE_EXPECTED,
                f"QBER {self.counts.qber:.2%} where the channel explains {expected_qber:.2%} (p = {p:.1e})",
                1 - p,
            )
        return chi_square

    def _between_bases(self) -> None:
        found = chi_square_bases(self.counts)
        if found is None:
            return
        self.p_values["basis"] = p = found[1]
        if p < self.significance:
            counts = self.counts
            self._convict(
                ReasonCode.BASIS_DEPENDENT_ERRORS,
                f"errors differ between the bases: {counts.errors_rect / counts.n_rect:.2%} rectilinear, "
                f"{counts.errors_diag / counts.n_diag:.2%} diagonal (p = {p:.1e})",
                1 - p,
            )

    def _against_history(self, history: Sequence[BasisCounts]) -> None:
        found = drift(self.counts, history)
        if found is None:
            return
        self.p_values["rise"], self.p_values["drift"] = rise, slope = found
        if rise < DRIFT_SIGNIFICANCE:
            detail = f"QBER {self.counts.qber:.2%} stands out of the link's history (p = {rise:.1e})"
            self.reasons.append(Reason(ReasonCode.SUDDEN_RISE, detail))
        if slope < DRIFT_SIGNIFICANCE:
            detail = f"the link's QBER has been rising over its last sessions (p = {slope:.1e})"
            self.reasons.append(Reason(ReasonCode.GRADUAL_DRIFT, detail))


def _excess_variance(sessions: Sequence[BasisCounts], rate: float) -> float:
    """Variance between sessions beyond binomial noise, by the method of moments; at least 0."""
    observed = sum((session.qber - rate) ** 2 for session in sessions) / (len(sessions) - 1)
    binomial = sum(rate * (1 - rate) / session.total for session in sessions) / len(sessions)
    return max(0.0, observed - binomial)


def _probability_above(counts: BasisCounts, rate: float) -> float:
    """Posterior probability, from a uniform prior, that the true error rate is above ``rate``."""
    from scipy.special import betainc  # noqa: PLC0415 - as in ``drift``

    return 1 - float(betainc(counts.errors + 1, counts.total - counts.errors + 1, rate))


def _chi_square_tail(chi_square: float) -> float:
    """P(chi-square with one degree of freedom > value)."""
    return math.erfc(math.sqrt(chi_square / 2))
