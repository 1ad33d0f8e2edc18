"""The QBER and its interval."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from qkd.estimation import BasisCounts, choose_sample, error_counts, qber_interval
from tests import requirement


@requirement("A3")
@pytest.mark.parametrize("rate", [0.001, 0.02, 0.11, 0.25, 0.5])
@pytest.mark.parametrize("sample", [20, 300])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_the_interval_covers_as_often_as_it_claims(rate, sample, confidence):
    # Exact: the probability of all outcomes whose interval holds the rate.
    covered = 0.0
    for errors in range(sample + 1):
        interval = qber_interval(errors, sample, confidence=confidence)
        if interval.low <= rate <= interval.high:
            covered += binom.pmf(errors, sample, rate)
    assert covered >= confidence


@requirement("A3")
@given(sample=st.integers(1, 10**6), data=st.data())
def test_the_interval_holds_the_estimate(sample, data):
    errors = data.draw(st.integers(0, sample))
    interval = qber_interval(errors, sample)
    assert 0 <= interval.low <= errors / sample <= interval.high <= 1


@requirement("A3")
def test_known_answer():
    interval = qber_interval(0, 100, confidence=0.95)
    assert interval.low == 0
    assert interval.high == pytest.approx(1 - 0.025 ** (1 / 100))


@requirement("B3")
def test_errors_are_counted_per_basis():
    alice, bob = np.array([0, 0, 1, 1, 1], np.uint8), np.array([0, 1, 1, 0, 0], np.uint8)
    counts = error_counts(alice, bob, np.array([0, 0, 0, 1, 1], np.uint8))
    assert counts == BasisCounts(n_rect=3, errors_rect=1, n_diag=2, errors_diag=2)
    assert counts.qber == 3 / 5


@requirement("A3")
def test_the_sample_is_of_the_size_asked_and_uniform():
    bases = np.zeros(50, np.uint8)
    rng = np.random.default_rng(1)
    chosen = np.sum([choose_sample(bases, 10, by_basis=False, rng=rng) for _ in range(2000)], axis=0)
    assert chosen.sum() == 20_000
    assert np.all(np.abs(chosen - 400) < 5 * math.sqrt(2000 * 0.2 * 0.8))


@requirement("A3")
@pytest.mark.parametrize(
    ("errors", "sample", "confidence", "name"),
    [(1, 0, 0.9, "sample"), (5, 4, 0.9, "errors"), (-1, 4, 0.9, "errors"), (1, 4, math.nan, "confidence")],
)
def test_bad_input_is_refused_by_name(errors, sample, confidence, name):
    with pytest.raises(ValueError, match=name):
        qber_interval(errors, sample, confidence=confidence)


@requirement("A3")
def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="errors_diag"):
        BasisCounts(n_rect=1, errors_rect=0, n_diag=1, errors_diag=2)
