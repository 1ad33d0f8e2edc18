"""Verdicts on sessions and the reasons for them."""

from dataclasses import dataclass, field
from enum import StrEnum

from qkd.estimation import Interval


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
    """The verdict of the statistics on a session.

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
        reasons: in the order of the tests; empty without findings.
    """

    qber: float
    interval: Interval | None
    chi_square: float
    p_values: dict[str, float] = field(default_factory=dict)
    is_compromised: bool
    is_anomalous: bool
    confidence_level: float
    reasons: tuple[Reason, ...] = ()
