"""Judge a session: run the tests on its counts and report the findings."""

from collections.abc import Sequence

from qkd.bits import as_number
from qkd.detection.statistics import chi_square_bases, chi_square_expected, drift, probability_above
from qkd.detection.verdict import Reason, ReasonCode, Verdict
from qkd.estimation import BasisCounts, qber_interval

DEFAULT_THRESHOLD = 0.11
"""QBER above which one-way BB84 has no secret bit left: 1 - 2 h(Q) = 0 at 11.0 %."""

DEFAULT_SIGNIFICANCE = 1e-6
"""p-value below which a test convicts: at 1,000 sessions a day one false alarm in three years."""

DRIFT_SIGNIFICANCE = 1e-4
"""p-value below which a drift is reported: it convicts nobody, so it may speak earlier."""


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
    as_number("threshold", threshold, 0, 0.5, open_low=True)
    as_number("significance", significance, 0, 1, open_low=True)
    if expected_qber is not None:
        as_number("expected_qber", expected_qber, 0, 0.5)
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
    """The tests of one session and their findings."""

    def __init__(self, counts: BasisCounts, threshold: float, significance: float) -> None:
        self.counts = counts
        self.threshold = threshold
        self.significance = significance
        self.p_values: dict[str, float] = {}
        self.reasons: list[Reason] = []
        self.convictions: list[float] = []

    def verdict(self, expected_qber: float | None, history: Sequence[BasisCounts]) -> Verdict:
        counts = self.counts
        above = probability_above(counts, self.threshold)
        if counts.qber > self.threshold:
            self._convict(
                ReasonCode.QBER_ABOVE_THRESHOLD,
                f"QBER {counts.qber:.2%} is above the threshold of {self.threshold:.2%}",
                above,
            )
        chi_square = 0.0 if expected_qber is None else self._test_expectation(expected_qber)
        self._test_bases()
        self._test_history(history)
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

    def _test_expectation(self, expected_qber: float) -> float:
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

    def _test_bases(self) -> None:
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

    def _test_history(self, history: Sequence[BasisCounts]) -> None:
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
