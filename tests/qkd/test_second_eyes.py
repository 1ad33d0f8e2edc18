"""Every bound derived once more by exact integer arithmetic: nothing here comes from the package but what is tested.

Tails are ratios of whole numbers (``math.comb``, ``Fraction``), inverted by walking; no logarithm, no series, no float.
"""

import math
from dataclasses import asdict
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkd.finite_key import (
    IDEAL,
    DecoyCounts,
    Devices,
    OneDecoyCounts,
    lim2014_bounds,
    rusca2018_bounds,
    rusca2018_length,
    single_photon_length,
)
from qkd.finite_key.sampling import expected_range, most_errors, most_of
from tests import requirement

EPSILONS = [Fraction(1, 4), Fraction(1, 1000), Fraction(1, 10**10), Fraction(1, 16 * 10**20)]


def chance_to_see_at_most(seen, total, sample, rest):
    """Ways to draw a sample with so few errors, of all ways to draw it."""
    ways = sum(math.comb(total, e) * math.comb(sample + rest - total, sample - e) for e in range(seen + 1))
    return Fraction(ways, math.comb(sample + rest, sample))


def chance_of_more(count, total, probability):
    return sum(
        math.comb(total, k) * probability**k * (1 - probability) ** (total - k)
        for k in range(count + 1, total + 1)
    )


def entropy_at_most(bits, errors):
    """log2 of the number of strings within a Hamming distance is below bits * h(errors / bits), Stirling's way."""
    if 2 * errors >= bits:
        return float(bits)
    rate = errors / bits
    return bits * -(rate * math.log2(rate) + (1 - rate) * math.log2(1 - rate)) if errors else 0.0


@requirement("A12", "I7")
@settings(deadline=None, max_examples=150)
@given(sample=st.integers(1, 60), rest=st.integers(1, 60), data=st.data(), epsilon=st.sampled_from(EPSILONS))
def test_the_inverted_tail_is_exact_at_every_size(sample, rest, data, epsilon):
    seen = data.draw(st.integers(0, sample))
    possible = [
        total - seen
        for total in range(seen, seen + rest + 1)
        if chance_to_see_at_most(seen, total, sample, rest) > epsilon
    ]
    found = most_errors(sample=sample, rest=rest, seen=seen, epsilon=float(epsilon))
    assert found >= max(possible)
    assert found <= max(possible) + 1  # rounding, upwards


@requirement("A12", "I7")
@pytest.mark.parametrize("total", range(11))
def test_whatever_the_errors_are_the_estimate_fails_no_more_often_than_it_may(total):
    """Coverage: for every number of errors in 10 + 10 bits, summed over all samples; the claim of the proof itself."""
    sample, rest = 10, 10
    for epsilon in EPSILONS[:3]:
        failing = Fraction(0)
        for seen in range(min(sample, total) + 1):
            chance = Fraction(
                math.comb(total, seen) * math.comb(sample + rest - total, sample - seen),
                math.comb(sample + rest, sample),
            )
            if total - seen > most_errors(sample=sample, rest=rest, seen=seen, epsilon=float(epsilon)):
                failing += chance
        assert failing <= epsilon


@requirement("A12", "I7")
@settings(deadline=None, max_examples=150)
@given(
    total=st.integers(0, 60),
    probability=st.fractions(0, Fraction(9, 10), max_denominator=1000),
    epsilon=st.sampled_from(EPSILONS),
)
def test_the_tagged_clicks_are_never_more_but_with_that_probability(total, probability, epsilon):
    found = most_of(total, float(probability), float(epsilon))
    assert chance_of_more(found, total, probability) <= epsilon
    exact = next(k for k in range(total + 1) if chance_of_more(k, total, probability) <= epsilon)
    assert found <= exact + 1


@requirement("A12", "I7")
@pytest.mark.parametrize("chances", [(1, 1, 1), (1, 4, 7), (0, 5, 9), (9, 9, 2)])
@pytest.mark.parametrize("epsilon", EPSILONS[:2])
def test_expectations_are_outside_their_range_no_more_often_than_they_may_be(chances, epsilon):
    """Coverage over every outcome of nine unequal events, by whole numbers."""
    tenths = chances * 3
    below = above = 0
    mean = sum(tenths) / 10
    for outcome in product((0, 1), repeat=9):
        weight = math.prod(p if hit else 10 - p for hit, p in zip(outcome, tenths, strict=True))
        low, high = expected_range(sum(outcome), 9, float(epsilon))
        below += weight * (low > mean)
        above += weight * (high < mean)
    assert Fraction(below, 10**9) <= epsilon
    assert Fraction(above, 10**9) <= epsilon


@requirement("A12", "I7")
@settings(deadline=None, max_examples=25)
@given(
    key=st.integers(20, 60),
    sample=st.integers(20, 60),
    errors=st.integers(0, 3),
    mismatch=st.fractions(0, Fraction(1, 2), max_denominator=50),
    defect=st.fractions(0, Fraction(1, 20), max_denominator=100),
    epsilon=st.sampled_from([Fraction(1, 2), Fraction(1, 20)]),
)
def test_no_length_is_above_what_exact_tails_allow(key, sample, errors, mismatch, defect, epsilon):
    budget = (epsilon / 4) ** 2 / (1 + 2 * (mismatch > 0) + 2 * (defect > 0))
    pulses = 2 * (key + sample)
    defects = next(k for k in range(pulses + 1) if chance_of_more(k, pulses, defect) <= budget)
    tagged, unseen = (
        defects + next(k for k in range(n + 1) if chance_of_more(k, n, mismatch) <= budget)
        for n in (key, sample)
    )
    left = 0.0
    if unseen < sample:
        most = (
            max(
                total - errors
                for total in range(errors, errors + key + 1)
                if chance_to_see_at_most(errors, total, sample - unseen, key) > budget
            )
            if errors <= sample - unseen
            else key
        )
        if tagged < key and 2 * most < key - tagged:
            left = key - tagged - entropy_at_most(key - tagged, most)
    exact = left - 2 * math.log2(1 / epsilon) - 1  # epsilon_cor of 1
    found = single_photon_length(
        key_bits=key,
        sample_bits=sample,
        errors=errors,
        leaked_bits=0,
        epsilon_sec=float(epsilon),
        epsilon_cor=1.0,
        devices=Devices(efficiency_mismatch=float(mismatch), source_defect=float(defect), pulses=pulses),
    )
    assert found <= max(0, math.floor(exact + 1e-9))


def photons(n, intensity):
    return math.exp(-intensity) * intensity**n / math.factorial(n)


def yields(clicks_of_no_photon, clicks_of_one, clicks_of_two, light, chances):
    """Counts by intensity that these clicks by photon number give on average, by Bayes' rule."""
    shares = []
    for number, clicks in enumerate((clicks_of_no_photon, clicks_of_one, clicks_of_two)):
        weights = [chance * photons(number, mu) for mu, chance in zip(light, chances, strict=True)]
        shares.append([clicks * weight / sum(weights) for weight in weights])
    return [round(sum(column)) for column in zip(*shares, strict=True)]


@requirement("A12", "I7")
@pytest.mark.parametrize("dark", [0, 200, 20_000])
@pytest.mark.parametrize("single", [10**5, 10**7])
@pytest.mark.parametrize("several", [0, 3 * 10**4, 10**7])
@pytest.mark.parametrize("lights", [(0.5, 0.1, 2e-4), (0.4, 0.2, 0.05), (0.5, 0.15), (0.8, 0.1)])
@pytest.mark.parametrize("foul", [None, 0, 1, -1])
def test_no_decoy_bound_is_above_the_photons_that_there_were(dark, single, several, lights, foul):
    """Clicks are made from known photon numbers, up to two: the bounds must not claim more, nor fewer errors.

    Pulses that are not as meant may all click at one intensity, right or wrong, and must not count as single photons.
    """
    chances = (0.5, 0.3, 0.2) if len(lights) == 3 else (0.6, 0.4)
    key = yields(dark, single, several, lights, chances)
    test = [count // 4 for count in key]
    wrong_single = single // 200  # 2 % of a quarter
    wrong = yields(dark // 8, wrong_single, several // 200, lights, chances)
    devices = IDEAL
    if foul is not None:
        devices = Devices(source_defect=1e-3, pulses=10**6, key_chance=0.5, sample_chance=0.2)
        key[foul], test[foul] = key[foul] + 500, test[foul] + 200
        wrong[foul] += 200 * (foul == 0)
    rows = zip(lights, chances, key, test, wrong, strict=True)
    decoys = [
        DecoyCounts(intensity=mu, probability=p, key_clicks=n, test_clicks=k, test_errors=e)
        for mu, p, n, k, e in rows
    ]
    if len(lights) == 3:
        found = lim2014_bounds(decoys, epsilon_sec=1e-9, devices=devices)
    else:
        errors = yields(dark // 2, single // 50, several // 50, lights, chances)
        counts = [
            OneDecoyCounts(**asdict(count), key_errors=w) for count, w in zip(decoys, errors, strict=True)
        ]
        found = rusca2018_bounds(counts, epsilon_sec=1e-9, devices=devices)
    assert found.vacuum <= dark + 3
    assert found.single <= single + 3
    assert found.phase_error >= min(0.5, wrong_single / (single // 4 + 1))


# Counts, leak and length of an example that adomasbaliuka/formal-qkd (Lean) computes with proven rounding
LIGHTS, CHANCES = (0.51, 0.15), (0.7, 0.3)
KEY, KEY_ERRORS, TEST, TEST_ERRORS = (8875913, 1124087), (185856, 26055), (165048, 20902), (3456, 484)
LEAKED, PUBLISHED = 1776924, 1464719


def published_one_decoy_length(epsilon):
    """Rusca et al. 2018, equations A2 to A25, from the paper alone."""
    share = epsilon / 19
    tau0, tau1 = (sum(p * photons(n, mu) for mu, p in zip(LIGHTS, CHANCES, strict=True)) for n in (0, 1))
    (mu1, mu2), (scale1, scale2) = (
        LIGHTS,
        [math.exp(mu) / p for mu, p in zip(LIGHTS, CHANCES, strict=True)],
    )

    def spread(count):
        return math.sqrt(count * math.log(1 / share) / 2)

    def single(clicks, errors):
        far = spread(sum(clicks))
        empty = 2 * (tau0 * scale2 * (errors[1] + spread(sum(errors))) + far)
        few, many = scale2 * (clicks[1] - far), scale1 * (clicks[0] + far)
        bracket = few - mu2**2 / mu1**2 * many - (mu1**2 - mu2**2) / mu1**2 * empty / tau0
        none = max(0.0, tau0 / (mu1 - mu2) * (mu1 * few - mu2 * many))
        return none, tau1 * mu1 / (mu2 * (mu1 - mu2)) * bracket

    (empty, s), (_, t) = single(KEY, KEY_ERRORS), single(TEST, TEST_ERRORS)
    far = spread(sum(TEST_ERRORS))
    wrong = tau1 / (mu1 - mu2) * (scale1 * (TEST_ERRORS[0] + far) - scale2 * (TEST_ERRORS[1] - far)) / t
    width = (s + t) * (1 - wrong) * wrong / (s * t)
    phase = wrong + math.sqrt(
        width / math.log(2) * math.log2((s + t) / (s * t * (1 - wrong) * wrong) / share**2)
    )
    entropy = -phase * math.log2(phase) - (1 - phase) * math.log2(1 - phase)
    rest = LEAKED + 6 * math.log2(1 / share) + math.log2(2e15)
    return s, phase, math.floor(empty + s * (1 - entropy) - rest)


@requirement("A12", "I7")
def test_the_published_one_decoy_formula_is_that_of_a_proven_program_and_ours_gives_more():
    single, phase, length = published_one_decoy_length(1e-9)
    assert length == PUBLISHED
    rows = zip(LIGHTS, CHANCES, KEY, KEY_ERRORS, TEST, TEST_ERRORS, strict=True)
    counts = [
        OneDecoyCounts(intensity=mu, probability=p, key_clicks=n, key_errors=m, test_clicks=k, test_errors=e)
        for mu, p, n, m, k, e in rows
    ]
    found = rusca2018_bounds(counts, epsilon_sec=1e-9)
    assert found.single > single
    assert found.phase_error < phase
    assert rusca2018_length(counts, leaked_bits=LEAKED) > length


@requirement("A12", "I7")
@pytest.mark.parametrize("epsilon", [1e-3, 1e-9])
@pytest.mark.parametrize("lights", [(0.5, 0.1, 2e-4), (0.5, 0.15)])
def test_the_phase_errors_of_decoys_are_those_of_the_tail_at_the_square_of_its_share(epsilon, lights):
    """A smoothing by alpha stands for errors that are more with probability alpha squared: Tomamichel 2012, lemma 3."""
    chances = (0.5, 0.3, 0.2) if len(lights) == 3 else (0.6, 0.4)
    key, test = yields(50, 10**5, 10**4, lights, chances), yields(10, 2 * 10**4, 2 * 10**3, lights, chances)
    share = Fraction(epsilon) / (21 if len(lights) == 3 else 19)

    def bounds(clicks, others):
        rows = zip(lights, chances, clicks, others, strict=True)
        decoys = [
            DecoyCounts(intensity=mu, probability=p, key_clicks=n, test_clicks=k, test_errors=0)
            for mu, p, n, k in rows
        ]
        if len(lights) == 3:
            return lim2014_bounds(decoys, epsilon_sec=epsilon)
        return rusca2018_bounds(
            [OneDecoyCounts(**asdict(one), key_errors=0) for one in decoys], epsilon_sec=epsilon
        )

    found, of_test = bounds(key, test), bounds(test, key)
    rest, sample = math.ceil(found.single), math.floor(of_test.single)
    allowed = found.phase_error * found.single
    assert 0 < allowed < rest / 20
    most = round(allowed)
    none_seen = [Fraction(math.perm(rest, n), math.perm(rest + sample, n)) for n in (most, most + 1)]
    assert none_seen[1] <= share**2 * Fraction(1000001, 1000000)
    assert none_seen[0] > share**2 * Fraction(9, 10) ** 2
