"""Verdicts on sessions: a table of tests, and the reasons that follow from it."""

from dataclasses import dataclass, field
from enum import StrEnum

from qkd.estimation import Interval


class ReasonCode(StrEnum):
    """Why a verdict is what it is, for machines."""

    NO_DATA = "no_data"
    QBER_ABOVE_THRESHOLD = "qber_above_threshold"
    ERRORS_ABOVE_EXPECTED = "errors_above_expected"
    BASIS_DEPENDENT_ERRORS = "basis_dependent_errors"
    DECOYS_MISSING = "decoys_missing"
    SINGLE_PHOTONS_MISSING = "single_photons_missing"
    AUTHENTICATION_FAILED = "authentication_failed"
    ERRORS_BELOW_EXPECTED = "errors_below_expected"
    CLICKS_DIFFER = "clicks_differ"
    WEAK_PULSES_CLICK = "weak_pulses_click"
    FELL_SHORT = "fell_short"
    SUDDEN_RISE = "sudden_rise"
    GRADUAL_DRIFT = "gradual_drift"
    LASTING_SHIFT = "lasting_shift"


CONVICTING = frozenset(
    {
        ReasonCode.QBER_ABOVE_THRESHOLD,
        ReasonCode.ERRORS_ABOVE_EXPECTED,
        ReasonCode.BASIS_DEPENDENT_ERRORS,
        ReasonCode.DECOYS_MISSING,
        ReasonCode.SINGLE_PHOTONS_MISSING,
        ReasonCode.AUTHENTICATION_FAILED,
    }
)


@dataclass(frozen=True)
class Reason:
    """One reason: a code for machines and a sentence for people."""

    code: ReasonCode
    detail: str


@dataclass(frozen=True, kw_only=True)
class Test:
    """One row of a verdict.

    Attributes:
        name: of the test, for machines.
        statistic: what was observed.
        expected: what an honest link makes of it.
        p: chance that an honest link shows this or more, exact; 1e-300 stands for less than that.
        convicts: the test takes part in the stated false-alarm level; the others only draw attention.
        detail: observed and expected, in words.
    """

    name: str
    statistic: float
    expected: float
    p: float
    convicts: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict of the statistics on a session.

    Attributes:
        qber: recalculated from the counts of the sample.
        interval: its 99 % Clopper-Pearson interval; None where nothing was compared.
        chi_square: Pearson's, of the sample against the expected rate, one degree of freedom; 0 where nothing was
            expected. Reported; the exact tests decide.
        tests: every test that could be made.
        p_values: of the tests by name, and of the chi-square tests "chi_square" and "chi_square_bases".
        p: of all convicting tests together: the smallest, times their number (Bonferroni), at most 1.
        is_compromised: a convicting reason was found; the key must not be used.
        is_anomalous: any reason was found, those that convict nobody included.
        confidence_level: 1 - ``p``: how surely an honest link is ruled out. 1 where the threshold was passed or the
            engine found the channel tampered with; 0 where nothing was compared.
        reasons: in the order of the tests; empty without findings.
    """

    qber: float
    interval: Interval | None
    chi_square: float
    tests: tuple[Test, ...] = ()
    p_values: dict[str, float] = field(default_factory=dict)
    p: float = 1.0
    is_compromised: bool
    is_anomalous: bool
    confidence_level: float
    reasons: tuple[Reason, ...] = ()


def probability_text(p: float) -> str:
    """Return a probability as people read it: ``p = 3.6e-04``, ``p < 1e-300``."""
    return "p < 1e-300" if p <= SMALLEST else f"p = {p:.1e}"


SMALLEST = 1e-300
"""Tails below this are not told apart."""
