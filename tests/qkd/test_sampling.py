"""Errors of the rest from those of a sample: the exact tail, held against brute force and against Lim's expression."""

import math
from itertools import combinations

import pytest
from scipy.stats import hypergeom

from qkd.finite_key import decoy_states
from qkd.finite_key.sampling import log_tail, most_errors
from tests import requirement

SIZES = [(50, 50), (1_000, 1_000), (1_000, 20_000), (20_000, 1_000), (10**6, 10**6), (10**7, 3 * 10**6)]


@requirement("A12", "I7")
@pytest.mark.parametrize(("total", "seen"), [(0, 0), (1, 0), (3, 1), (5, 2), (7, 0), (8, 3)])
def test_the_tail_counts_every_sample(total, seen):
    samples = list(combinations(range(8), 4))
    found = sum(sum(bit < total for bit in sample) <= seen for sample in samples)
    assert math.exp(log_tail(total, population=8, sample=4, seen=seen)) == pytest.approx(found / len(samples))


@requirement("A12", "I7")
@pytest.mark.parametrize(("sample", "rest"), SIZES[:4])
@pytest.mark.parametrize("seen", [0, 1, 5, 20])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-10, 1e-10 / 21])
def test_one_error_more_is_too_rare_and_as_many_are_not(sample, rest, seen, epsilon):
    most = most_errors(sample=sample, rest=rest, seen=seen, epsilon=epsilon)
    assert hypergeom.cdf(seen, sample + rest, seen + most, sample) > epsilon * (1 - 1e-6)
    if most < rest:
        assert hypergeom.cdf(seen, sample + rest, seen + most + 1, sample) <= epsilon * (1 + 1e-6)


@requirement("A12", "I7")
@pytest.mark.parametrize(("epsilon", "errors"), [(1e-10, 33), (1e-10 / 21, 37)])
def test_no_error_in_a_thousand_bits_leaves_that_many(epsilon, errors):
    """Lim's expression with half an error allowed 11."""
    assert most_errors(sample=1_000, rest=1_000, seen=0, epsilon=epsilon) in {errors - 1, errors, errors + 1}


@requirement("A12", "I7")
@pytest.mark.parametrize(("sample", "rest"), SIZES[1:])
@pytest.mark.parametrize("seen", [0, 1, 2, 5, 10, 20, 40, 64, 80, 200])
@pytest.mark.parametrize("epsilon_sec", [1e-6, 1e-9, 1e-12])
def test_lims_sampling_term_never_allows_fewer_errors_than_the_exact_tail(sample, rest, seen, epsilon_sec):
    gamma = decoy_states._random_sampling(epsilon_sec, seen / sample, float(sample), float(rest))
    exact = most_errors(sample=sample, rest=rest, seen=seen, epsilon=epsilon_sec / 21)
    assert (seen / sample + gamma) * rest >= exact * (1 - 1e-9)


@requirement("A12", "I7")
@pytest.mark.parametrize(("sample", "rest"), [(20_000, 1_000), (20_000, 20_000), *SIZES[4:]])
@pytest.mark.parametrize("seen", [1_001, 2_000, 5_000])
@pytest.mark.parametrize("epsilon_sec", [1e-6, 1e-9, 1e-12])
def test_with_more_errors_the_published_expression_is_safe(sample, rest, seen, epsilon_sec):
    gamma = decoy_states._random_sampling(epsilon_sec, seen / sample, float(sample), float(rest))
    exact = most_errors(sample=sample, rest=rest, seen=seen, epsilon=epsilon_sec / 21)
    assert (seen / sample + gamma) * rest >= exact * (1 - 1e-9)


@requirement("A12", "I7")
@pytest.mark.parametrize(
    "wrong", [{"sample": 0}, {"rest": 0}, {"seen": -1}, {"seen": 11}, {"epsilon": 0.0}, {"epsilon": 1.5}]
)
def test_what_is_no_sample_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        most_errors(**{"sample": 10, "rest": 10, "seen": 0, "epsilon": 0.1, **wrong})
