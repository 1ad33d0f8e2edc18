"""The detector's statistics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency, chisquare

from qkd.detection import ReasonCode, chi_square_bases, chi_square_expected, judge
from qkd.estimation import BasisCounts
from tests import requirement


def counts(n_rect, errors_rect, n_diag, errors_diag):
    return BasisCounts(n_rect, errors_rect, n_diag, errors_diag)


def codes(verdict):
    return [reason.code for reason in verdict.reasons]


def sample(rng, rate, compared=2000):
    return counts(compared, int(rng.binomial(compared, rate)), compared, int(rng.binomial(compared, rate)))


@requirement("B3")
def test_chi_square_against_expected_is_pearsons():
    chi_square, p = chi_square_expected(55, 1000, 0.04)
    expected = chisquare([55, 945], [40, 960])
    assert chi_square == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue)


@requirement("B3")
def test_basis_independence_is_the_two_by_two_test():
    found = chi_square_bases(counts(500, 20, 400, 30))
    expected = chi2_contingency([[20, 480], [30, 370]], correction=False)
    assert found is not None
    assert found == pytest.approx((expected.statistic, expected.pvalue))
    assert found[1] == pytest.approx(chi2.sf(found[0], 1))


@requirement("B3")
def test_basis_independence_is_not_tested_where_cells_are_too_small():
    assert chi_square_bases(counts(100, 0, 100, 0)) is None
    assert chi_square_bases(counts(10, 5, 10, 0)) is None
    assert chi_square_bases(counts(0, 0, 100, 50)) is None


@requirement("B2")
@pytest.mark.parametrize(("errors", "compromised"), [(109, False), (110, False), (111, True)])
def test_the_threshold_is_eleven_percent(errors, compromised):
    verdict = judge(counts(500, errors // 2, 500, errors - errors // 2), expected_qber=None)
    assert verdict.qber == errors / 1000
    assert verdict.is_compromised is compromised
    assert (ReasonCode.QBER_ABOVE_THRESHOLD in codes(verdict)) is compromised


@requirement("B2")
def test_the_threshold_is_configurable():
    measured = counts(500, 30, 500, 30)
    assert not judge(measured, expected_qber=None).is_compromised
    assert judge(measured, expected_qber=None, threshold=0.05).is_compromised


@requirement("B3")
def test_a_quiet_session_is_clean_with_high_confidence():
    verdict = judge(counts(1000, 21, 1000, 19), expected_qber=0.02)
    assert not verdict.is_compromised
    assert not verdict.is_anomalous
    assert verdict.reasons == ()
    assert verdict.confidence_level > 0.999
    assert verdict.p_values["expected"] == pytest.approx(1.0)


@requirement("B3")
def test_intercept_resend_below_the_threshold_is_still_seen():
    verdict = judge(counts(2000, 140, 2000, 140), expected_qber=0.02)
    assert codes(verdict) == [ReasonCode.ERRORS_ABOVE_EXPECTED]
    assert verdict.is_compromised
    assert verdict.confidence_level > 0.999999


@requirement("B3")
def test_fewer_errors_than_expected_convict_nobody():
    verdict = judge(counts(5000, 5, 5000, 5), expected_qber=0.05)
    assert verdict.p_values["expected"] < 1e-6
    assert not verdict.is_compromised


@requirement("B3")
def test_an_attack_in_one_basis_only_is_seen():
    verdict = judge(counts(2000, 10, 2000, 110), expected_qber=None)
    assert codes(verdict) == [ReasonCode.BASIS_DEPENDENT_ERRORS]
    assert verdict.is_compromised


@requirement("B3")
def test_false_alarms_are_as_rare_as_stated():
    rng = np.random.default_rng(1)
    verdicts = [judge(sample(rng, 0.03), expected_qber=0.03, significance=0.01) for _ in range(1000)]
    # Two tests at 1 %, the first one-sided: 1.5 % expected, 3.9 deviations allowed.
    assert sum(verdict.is_compromised for verdict in verdicts) <= 30
    below = sum(verdict.p_values["expected"] < 0.01 for verdict in verdicts)
    assert below == pytest.approx(10, abs=15)


@requirement("B4")
def test_a_slow_drift_is_flagged_before_the_threshold_and_convicts_nobody():
    rng = np.random.default_rng(2)
    history = [sample(rng, 0.02) for _ in range(30)]
    flagged = None
    for step in range(60):
        rate = 0.02 + 0.001 * step
        verdict = judge(sample(rng, rate), expected_qber=None, history=history)
        if ReasonCode.GRADUAL_DRIFT in codes(verdict):
            flagged = rate
            break
        history.append(sample(rng, rate))
    assert flagged is not None
    assert flagged < 0.04
    assert verdict.is_anomalous
    assert not verdict.is_compromised


@requirement("B4")
def test_a_sudden_rise_stands_out():
    rng = np.random.default_rng(3)
    history = [sample(rng, 0.02) for _ in range(12)]
    verdict = judge(sample(rng, 0.05), expected_qber=None, history=history)
    assert ReasonCode.SUDDEN_RISE in codes(verdict)


@requirement("B4")
def test_a_steady_or_restless_link_is_not_flagged():
    rng = np.random.default_rng(4)
    flagged = 0
    for _ in range(200):
        habit = rng.normal(0.03, 0.004, 25).clip(0.005)
        *history, newest = (sample(rng, rate) for rate in habit)
        flagged += judge(newest, expected_qber=None, history=history).is_anomalous
    assert flagged <= 6


@requirement("B4")
def test_a_short_history_says_nothing():
    rng = np.random.default_rng(5)
    verdict = judge(sample(rng, 0.02), expected_qber=0.02, history=[sample(rng, 0.02)] * 7)
    assert "rise" not in verdict.p_values


@requirement("B2")
def test_no_data_is_no_verdict_of_guilt_nor_confidence():
    verdict = judge(BasisCounts(), expected_qber=0.02)
    assert codes(verdict) == [ReasonCode.NO_DATA]
    assert not verdict.is_compromised
    assert verdict.is_anomalous
    assert verdict.confidence_level == 0
    assert verdict.interval is None


@requirement("B2", "B3")
@given(n_rect=st.integers(0, 10**6), n_diag=st.integers(0, 10**6), data=st.data(), expected=st.floats(0, 0.5))
def test_a_verdict_is_finite_whatever_the_counts(n_rect, n_diag, data, expected):
    measured = counts(n_rect, data.draw(st.integers(0, n_rect)), n_diag, data.draw(st.integers(0, n_diag)))
    verdict = judge(measured, expected_qber=expected, history=[measured] * 10)
    assert math.isfinite(verdict.chi_square)
    assert all(0 <= p <= 1 for p in verdict.p_values.values())
    assert 0 <= verdict.confidence_level <= 1
    assert verdict.is_compromised or measured.qber <= 0.11


@requirement("B2")
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"threshold": 0}, "threshold"),
        ({"threshold": math.nan}, "threshold"),
        ({"expected_qber": 0.6}, "expected_qber"),
    ],
)
def test_bad_input_is_refused_by_name(change, name):
    with pytest.raises(ValueError, match=name):
        judge(counts(10, 1, 10, 1), **({"expected_qber": 0.02} | change))
