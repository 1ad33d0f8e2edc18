"""Errors of the rest from those of a sample: the exact tail, held against brute force and against Lim's expression."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from qkd.channel import preset
from qkd.finite_key import (
    binary_entropy,
    decoy_states,
    lim2014_length,
    single_photon_length,
    tomamichel2012_length,
)
from qkd.finite_key.sampling import expected_range, log_tail, most_errors
from qkd.worst_case import decoy_counts
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
    gamma = decoy_states._published_sampling(epsilon_sec / 21, float(seen), float(sample), float(rest))
    exact = most_errors(sample=sample, rest=rest, seen=seen, epsilon=epsilon_sec / 21)
    assert (seen / sample + gamma) * rest >= exact * (1 - 1e-9)


@requirement("A12", "I7")
@pytest.mark.parametrize(("sample", "rest"), [(20_000, 1_000), (20_000, 20_000), *SIZES[4:]])
@pytest.mark.parametrize("seen", [1_001, 2_000, 5_000])
@pytest.mark.parametrize("epsilon_sec", [1e-6, 1e-9, 1e-12])
def test_with_more_errors_the_published_expression_is_safe(sample, rest, seen, epsilon_sec):
    gamma = decoy_states._published_sampling(epsilon_sec / 21, float(seen), float(sample), float(rest))
    exact = most_errors(sample=sample, rest=rest, seen=seen, epsilon=epsilon_sec / 21)
    assert (seen / sample + gamma) * rest >= exact * (1 - 1e-9)


@requirement("A12", "I7")
@pytest.mark.parametrize(
    "wrong", [{"sample": 0}, {"rest": 0}, {"seen": -1}, {"seen": 11}, {"epsilon": 0.0}, {"epsilon": 1.5}]
)
def test_what_is_no_sample_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        most_errors(**{"sample": 10, "rest": 10, "seen": 0, "epsilon": 0.1, **wrong})


@requirement("A12", "I7")
@pytest.mark.parametrize("total", [1, 5, 40, 1_000, 10**6])
@pytest.mark.parametrize("share", [0.0, 0.003, 0.1, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-10, 1e-10 / 21])
def test_an_expectation_outside_its_range_makes_the_count_too_rare(total, share, epsilon):
    count = round(share * total)
    low, high = expected_range(count, total, epsilon)
    assert 0 <= low <= count <= high <= total
    if high < total:
        assert binom.cdf(count, total, high / total) <= epsilon * (1 + 1e-6)
    if low > 0:
        assert binom.sf(count - 1, total, low / total) <= epsilon * (1 + 1e-6)


@requirement("A12", "I7")
def test_events_of_different_probabilities_deviate_no_more():
    """The sum of unequal events is spread less than that of equal ones: every subset of twelve is added up."""
    chances = [0.02, 0.02, 0.1, 0.1, 0.3, 0.3, 0.5, 0.7, 0.9, 0.9, 0.95, 0.99]
    spread = [1.0]
    for chance in chances:
        spread = [
            (spread[i] if i < len(spread) else 0) * (1 - chance) + (spread[i - 1] * chance if i else 0)
            for i in range(len(spread) + 1)
        ]
    mean = sum(chances)
    for epsilon in (0.3, 0.05, 1e-2, 1e-4):
        outside = [expected_range(count, len(chances), epsilon) for count in range(len(spread))]
        below = sum(p for p, (low, _) in zip(spread, outside, strict=True) if low > mean)
        above = sum(p for p, (_, high) in zip(spread, outside, strict=True) if high < mean)
        assert below <= epsilon
        assert above <= epsilon


@requirement("A12")
@pytest.mark.parametrize("total", [10**4, 10**6])
@pytest.mark.parametrize("share", [0.001, 0.05, 0.4, 0.9])
def test_the_range_is_within_what_hoeffding_and_chernoff_leave(total, share):
    """The multiplicative Chernoff bounds are those of Yin et al. 2020 (arXiv 2002.06530), equations 5 and 6."""
    epsilon = 1e-10 / 21
    count, beta = round(share * total), math.log(1 / epsilon)
    low, high = expected_range(count, total, epsilon)
    deviation = math.sqrt(total / 2 * beta)
    assert count - deviation <= low
    assert high <= count + deviation
    assert count + beta / 2 - math.sqrt(2 * beta * count + beta**2 / 4) <= low * (1 + 1e-12)
    assert high <= count + beta + math.sqrt(2 * beta * count + beta**2)


@requirement("A12", "I7")
@settings(deadline=None)
@given(
    n=st.integers(1, 3000),
    k=st.integers(1, 3000),
    rate=st.floats(0, 0.2),
    epsilon=st.sampled_from([1e-6, 1e-10]),
)
def test_the_length_is_what_exact_inversion_allows_and_no_less_than_serfling_does(n, k, rate, epsilon):
    errors = round(rate * k)
    totals = np.arange(errors, errors + n + 1)
    possible = hypergeom.cdf(errors, n + k, totals, k) > (epsilon / 4) ** 2
    most = int(totals[possible].max(initial=errors)) - errors
    length = single_photon_length(
        key_bits=n, sample_bits=k, errors=errors, leaked_bits=0, epsilon_sec=epsilon
    )
    entropy = 0.0 if most >= n / 2 else n * (1 - binary_entropy(most / n))
    assert length <= max(0, math.floor(entropy - 2 * math.log2(1 / epsilon) - math.log2(2e15)) + 1)
    assert length >= tomamichel2012_length(
        key_bits=n, sample_bits=k, qber=errors / k, leaked_bits=0, epsilon_sec=epsilon
    )


@requirement("A12")
def test_the_tighter_tails_give_more_of_the_same_counts():
    counts = decoy_counts(preset("lim2014"), 10**9)
    published, found = (
        lim2014_length(counts, leaked_bits=0, published=published) for published in (True, False)
    )
    assert found > 1.05 * published > 0
