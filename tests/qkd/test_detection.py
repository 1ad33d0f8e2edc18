"""The detector's statistics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, chi2, chi2_contingency, chisquare, hypergeom

from qkd.attacks import attack
from qkd.channel import Channel, preset
from qkd.detection import (
    ATTENTION_SIGNIFICANCE,
    DEFAULT_SIGNIFICANCE,
    Clicks,
    Evidence,
    ReasonCode,
    chi_square_bases,
    chi_square_expected,
    evidence_of,
    probability_text,
    statistics,
)
from qkd.detection import judge as judge_evidence
from qkd.estimation import BasisCounts
from qkd.session import SessionParameters, run
from tests import requirement


def counts(n_rect, errors_rect, n_diag, errors_diag):
    return BasisCounts(n_rect, errors_rect, n_diag, errors_diag)


def judge(measured, *, expected_qber, history=(), **options):
    """Judge compared bits alone."""
    past = [Evidence(compared=one, expected_qber=expected_qber) for one in history]
    return judge_evidence(Evidence(compared=measured, expected_qber=expected_qber), history=past, **options)


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
    assert verdict.p_values["chi_square"] == pytest.approx(1.0)
    assert verdict.p_values["errors"] == pytest.approx(0.5, abs=0.05)


@requirement("B3")
def test_intercept_resend_below_the_threshold_is_still_seen():
    verdict = judge(counts(2000, 140, 2000, 140), expected_qber=0.02)
    assert codes(verdict) == [ReasonCode.ERRORS_ABOVE_EXPECTED]
    assert verdict.is_compromised
    assert verdict.confidence_level > 0.999999


@requirement("B3", "B7")
def test_fewer_errors_than_expected_draw_attention_and_convict_nobody():
    verdict = judge(counts(5000, 5, 5000, 5), expected_qber=0.05)
    assert verdict.p_values["fewer_errors"] < 1e-6
    assert codes(verdict) == [ReasonCode.ERRORS_BELOW_EXPECTED]
    assert not verdict.is_compromised


@requirement("B3")
def test_an_attack_in_one_basis_only_is_seen():
    verdict = judge(counts(2000, 10, 2000, 110), expected_qber=None)
    assert codes(verdict) == [ReasonCode.BASIS_DEPENDENT_ERRORS]
    assert verdict.is_compromised


@requirement("B7")
@pytest.mark.parametrize(
    ("measured", "expected_qber", "tail"),
    [
        (counts(545, 2, 544, 2), 3e-4, 3.6e-4),
        (counts(545, 1, 544, 2), 5e-4, None),
        (counts(500, 6, 500, 6), 1e-3, None),
    ],
)
def test_few_errors_are_judged_by_the_exact_tail(measured, expected_qber, tail):
    """Pearson's approximation gave 7.4e-7 for the first, which convicted it."""
    p = judge(measured, expected_qber=expected_qber).p_values["errors"]
    assert p == pytest.approx(binom.sf(measured.errors - 1, measured.total, expected_qber))
    if tail is not None:
        assert p == pytest.approx(tail, rel=0.02)
        assert not judge(measured, expected_qber=expected_qber).is_compromised


@requirement("B7")
@pytest.mark.parametrize("compared", [200, 1089, 20_000])
@pytest.mark.parametrize("rate", [3e-4, 1e-3, 0.02, 0.1])
def test_the_stated_false_alarm_level_holds_exactly(compared, rate):
    """All outcomes of the compared bits are added up with their probabilities: no draw can be lucky."""
    for level in (DEFAULT_SIGNIFICANCE, 1e-3):
        least = binom.ppf(1e-12, compared, rate), binom.isf(1e-12, compared, rate) + 1
        convicted = sum(
            binom.pmf(errors, compared, rate)
            for errors in range(int(least[0]), int(least[1]) + 1)
            if judge(
                counts(compared, errors, 0, 0), expected_qber=rate, threshold=0.5, significance=level
            ).is_compromised
        )
        assert convicted <= level


@requirement("B7")
def test_equal_bases_are_found_different_no_more_often_than_stated():
    half, errors = 300, 12
    convicted = 0.0
    for rect in range(errors + 1):
        p = statistics.equal_rates(counts(half, rect, half, errors - rect))
        assert p is not None
        convicted += float(hypergeom.pmf(rect, 2 * half, errors, half)) * (p < 0.01)
    assert 0 < convicted <= 0.01
    assert statistics.equal_rates(counts(half, 1, half, 11)) == pytest.approx(
        2 * hypergeom.cdf(1, 2 * half, errors, half)
    )


@requirement("B7")
@pytest.mark.parametrize("length", [4, pytest.param(8, marks=pytest.mark.slow), 64])
@pytest.mark.parametrize("rate", [1e-4, 5e-3, 0.02, 0.1])
@pytest.mark.parametrize("spread", [0.0, 0.2])
def test_a_steady_and_a_restless_link_are_flagged_no_more_often_than_stated(length, rate, spread):
    rng = np.random.default_rng(length)
    draws, level, flagged = 1500, 0.02, [0, 0]
    shape = (draws, length + 1)
    rates = rate * np.clip(rng.normal(1, spread, shape), 0.3, 2)
    compared = rng.integers(500, 3000, shape)
    errors = [rng.binomial(compared, rates).tolist() for _ in range(2)]
    for drawn in zip(compared.tolist(), *errors, strict=True):
        sessions = [
            Evidence(compared=counts(bits, rect, bits, diag), expected_qber=rate)
            for bits, rect, diag in zip(*drawn, strict=True)
        ]
        found = statistics.against_history(sessions[-1], sessions[:-1])
        assert found is not None
        flagged = [count + (p < level) for count, p in zip(flagged, found, strict=True)]
    for count in flagged:
        assert count <= draws * level + 4 * math.sqrt(draws * level)


@requirement("B4", "B7")
def test_different_requests_on_one_link_are_no_rise():
    rng = np.random.default_rng(7)
    past = [Evidence(compared=sample(rng, 0.01), expected_qber=0.01) for _ in range(12)]
    newest = Evidence(compared=sample(rng, 0.05), expected_qber=0.05)
    assert not judge_evidence(newest, history=past).is_anomalous
    assert codes(judge_evidence(Evidence(compared=newest.compared, expected_qber=0.01), history=past))


def observed(**parameters):
    """The evidence of a whole session."""
    result = run(SessionParameters(seed=1, **parameters))
    return evidence_of(result.ledger(), compared=result.compared)


@requirement("B7")
@pytest.mark.parametrize("name", ["gys2005", "lim2014"])
def test_split_photon_numbers_convict_although_no_error_is_made(name):
    for fraction in (0.2, 1.0):
        split = attack("photon_number_splitting", fraction=fraction)
        verdict = judge_evidence(observed(channel=preset(name), attack=split))
        assert ReasonCode.DECOYS_MISSING in codes(verdict)
        assert verdict.is_compromised
        assert verdict.confidence_level == pytest.approx(1)


@requirement("B7")
@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_a_blinded_link_draws_attention(fraction):
    verdict = judge_evidence(
        observed(channel=preset("gys2005"), attack=attack("detector_blinding", fraction=fraction))
    )
    assert ReasonCode.ERRORS_BELOW_EXPECTED in codes(verdict)
    assert verdict.is_anomalous


@requirement("B7")
@pytest.mark.parametrize("channel", [preset("gys2005"), preset("lim2014"), preset("lab"), None])
def test_all_evidence_of_an_honest_session_is_judged_and_speaks_against_nobody(channel):
    link = {"channel": channel} if channel else {"error_rate": 0.02}
    verdict = judge_evidence(observed(**link))
    assert verdict.reasons == ()
    names = {test.name for test in verdict.tests}
    assert {"errors", "fewer_errors", "basis"} <= names
    assert (channel is not None and channel.has_decoys) == (
        {"decoy", "clicks", "weak_pulses", "errors_1"} <= names
    )


@requirement("B7")
def test_a_longer_fibre_is_no_eavesdropper():
    link = preset("gys2005")
    longer = Channel(**{**_fields(link), "distance_km": 55.0})
    result = run(SessionParameters(channel=longer, seed=2))
    found = evidence_of(result.ledger(), compared=result.compared)
    verdict = judge_evidence(
        Evidence(
            compared=found.compared, link=link, pulses=found.pulses, clicks=found.clicks, expected_qber=None
        )
    )
    assert codes(verdict) == [ReasonCode.CLICKS_DIFFER]
    assert not verdict.is_compromised


def _fields(link):
    return {name: getattr(link, name) for name in link.__dataclass_fields__}


@requirement("B7")
@pytest.mark.parametrize(
    ("aborted", "code", "compromised"),
    [
        ("authentication_failed", ReasonCode.AUTHENTICATION_FAILED, True),
        ("single_photons_missing", ReasonCode.SINGLE_PHOTONS_MISSING, True),
        ("key_length_not_reached", ReasonCode.FELL_SHORT, False),
        ("verification_failed", ReasonCode.FELL_SHORT, False),
        ("infeasible", None, False),
        (None, None, False),
    ],
)
def test_the_engines_own_reason_is_part_of_the_evidence(aborted, code, compromised):
    found = Evidence(compared=counts(1000, 20, 1000, 20), expected_qber=0.02, aborted=aborted)
    verdict = judge_evidence(found)
    assert codes(verdict) == ([] if code is None else [code])
    assert verdict.is_compromised is compromised


@requirement("B7")
def test_a_tail_too_small_to_name_is_said_to_be_so():
    verdict = judge(counts(10**5, 50_000, 10**5, 50_000), expected_qber=1e-4)
    assert verdict.p_values["errors"] == 1e-300
    assert "(p < 1e-300)" in verdict.reasons[1].detail
    assert probability_text(3.6e-4) == "p = 3.6e-04"
    assert verdict.p <= 1e-299


@requirement("B7")
def test_the_level_is_shared_by_all_tests_that_convict():
    """Of six tests each has a sixth of the level, so that all together keep to it."""
    clicks = tuple(Clicks(sifted=1000, compared=500, errors=10) for _ in range(3))
    link = preset("gys2005")
    verdict = judge_evidence(
        Evidence(
            compared=counts(500, 10, 500, 10), expected_qber=0.02, link=link, pulses=10**6, clicks=clicks
        )
    )
    convicting = [test for test in verdict.tests if test.convicts]
    assert len(convicting) == 6
    assert verdict.p == pytest.approx(min(1, 6 * min(test.p for test in convicting)))
    assert ATTENTION_SIGNIFICANCE > DEFAULT_SIGNIFICANCE


@requirement("B4")
def test_a_slow_drift_is_flagged_before_the_threshold_and_convicts_nobody():
    rng = np.random.default_rng(2)
    history = [sample(rng, 0.02) for _ in range(30)]
    flagged = None
    for step in range(60):
        rate = 0.02 + 0.001 * step
        verdict = judge(sample(rng, rate), expected_qber=None, history=history[-64:])
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
    verdict = judge(sample(rng, 0.02), expected_qber=0.02, history=[sample(rng, 0.02)] * 3)
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


@requirement("B2")
@pytest.mark.parametrize("name", ["gys2005", "lim2014", "metro_50km"])
@pytest.mark.parametrize("times", [1e-3, 0.3, 0.9, 1.0, 1.02, 3.0])
def test_the_loss_fitted_to_the_clicks_is_that_of_a_bisection(name, times):
    link = preset(name)
    wanted = link.gain * times
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if statistics._at(link, middle).gain < wanted else (low, middle)
    fitted = statistics._with_gain(link, wanted)
    assert fitted.detector_efficiency == pytest.approx(
        statistics._at(link, high).detector_efficiency, rel=1e-9
    )


@requirement("B2")
def test_what_no_loss_explains_is_fitted_by_none_and_by_all():
    link = preset("gys2005")
    assert statistics._with_gain(link, 2.0).detector_efficiency == 1.0
    assert statistics._with_gain(link, 0.0).detector_efficiency == 1e-15
