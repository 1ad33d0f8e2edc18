"""How often the bounds fail, on photons that the test knows: at an epsilon so large that failures would be seen."""

import numpy as np
import pytest

from qkd.finite_key import DecoyCounts, OneDecoyCounts, lim2014_bounds, rusca2018_bounds
from qkd.finite_key.sampling import most_errors, most_of
from tests import requirement

EPSILON = 0.5
RUNS = 4000


def emitted(light, chances, number):
    """The probability of each pair of intensity and photon number, given that the pulse has up to three photons."""
    photons = np.arange(4)
    factorials = np.array([1, 1, 2, 6])
    table = np.array(
        [p * np.exp(-mu) * mu**photons / factorials for mu, p in zip(light, chances, strict=True)]
    )
    return number * table


def counted(rng, light, chances, *, pulses, detection, wrong):
    """Clicks and errors by intensity and photon number, drawn."""
    means = emitted(light, chances, pulses) * detection
    clicks = rng.poisson(means)
    return clicks, rng.binomial(clicks, wrong)


@pytest.mark.slow
@requirement("A12", "I7")
@pytest.mark.parametrize("lights", [(0.5, 0.1, 2e-4), (0.5, 0.15)])
@pytest.mark.parametrize("dark", [1e-6, 5e-5, 1.5e-4])
def test_the_decoy_bounds_fail_less_often_than_they_may(lights, dark):
    chances = (0.4, 0.4, 0.2) if len(lights) == 3 else (0.5, 0.5)
    eta = 0.01
    detection = 1 - (1 - dark) * (1 - eta) ** np.arange(4)
    wrong = np.array([0.5, *(0.02 + dark / 2 / detection[1:])])
    rng = np.random.default_rng(7)
    failed = claimed = 0
    for _ in range(RUNS):
        (key, key_errors), (test, test_errors) = (
            counted(rng, lights, chances, pulses=pulses, detection=detection, wrong=wrong)
            for pulses in (4_000_000, 1_000_000)
        )
        rows = [
            {
                "intensity": mu,
                "probability": p,
                "key_clicks": int(key[i].sum()),
                "test_clicks": int(test[i].sum()),
                "test_errors": int(test_errors[i].sum()),
            }
            for i, (mu, p) in enumerate(zip(lights, chances, strict=True))
        ]
        if len(lights) == 3:
            found = lim2014_bounds([DecoyCounts(**row) for row in rows], epsilon_sec=EPSILON)
        else:
            counts = [
                OneDecoyCounts(**row, key_errors=int(key_errors[i].sum())) for i, row in enumerate(rows)
            ]
            found = rusca2018_bounds(counts, epsilon_sec=EPSILON)
        single = key[:, 1].sum()
        phase_errors = rng.binomial(single, wrong[1])  # of a channel that does to both bases the same
        claimed += found.single > single / 3 and found.phase_error < 0.25
        failed += bool(
            found.vacuum > key[:, 0].sum()
            or found.single > single
            or (found.phase_error < 0.5 and found.phase_error * single < phase_errors)
        )
    assert claimed > RUNS / 2, "a bound that claims nothing cannot fail"
    assert failed <= EPSILON * RUNS
    assert failed < RUNS / 20, "the sum over nineteen or more tails is not reached by far"


@pytest.mark.slow
@requirement("A12", "I7")
@pytest.mark.parametrize("epsilon", [0.1, 0.01])
@pytest.mark.parametrize(
    ("sample", "rest", "total"), [(500, 2000, 50), (2000, 500, 400), (10_000, 10_000, 3)]
)
def test_samples_mislead_as_often_as_they_may_and_no_more(sample, rest, total, epsilon):
    rng = np.random.default_rng(8)
    seen = rng.hypergeometric(total, sample + rest - total, sample, 200_000)
    limits = {
        int(s): most_errors(sample=sample, rest=rest, seen=int(s), epsilon=epsilon) for s in np.unique(seen)
    }
    failed = np.mean([total - s > limits[int(s)] for s in seen])
    assert failed <= epsilon + 4 * np.sqrt(epsilon / seen.size)


@pytest.mark.slow
@requirement("A12", "I7")
@pytest.mark.parametrize("epsilon", [0.1, 0.01])
@pytest.mark.parametrize(("total", "probability"), [(50, 0.02), (5000, 0.1), (100_000, 0.5)])
def test_tagged_clicks_exceed_their_limit_as_often_as_they_may_and_no_more(total, probability, epsilon):
    drawn = np.random.default_rng(9).binomial(total, probability, 200_000)
    failed = np.mean(drawn > most_of(total, probability, epsilon))
    assert failed <= epsilon + 4 * np.sqrt(epsilon / drawn.size)
