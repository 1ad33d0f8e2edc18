"""How often an eavesdropper is found: verdicts on drawn counts of a link under attack.

Counts are drawn from the distribution that ``qkd.attacks.expectation`` works out, which is that of whole sessions; no
photon is sent and nothing is reconciled, so that a verdict takes a millisecond. ``tests/qkd/test_power.py`` holds the
drawn evidence against that of whole sessions.
"""

from dataclasses import dataclass

import numpy as np

from qkd import agreement
from qkd.attacks import Attack, Expectation, expectation
from qkd.bb84 import DIAGONAL, RECTILINEAR
from qkd.detection.evidence import Clicks, Evidence
from qkd.detection.judgement import DEFAULT_SIGNIFICANCE, DEFAULT_THRESHOLD, judge
from qkd.detection.verdict import Test, Verdict
from qkd.estimation import BasisCounts
from qkd.finite_key import DecoyCounts
from qkd.planning import Plan


@dataclass(frozen=True)
class Power:
    """Parts of the sessions that were found, each in [0, 1].

    Attributes:
        convicted: by the verdict's own level.
        convicted_early: had the level been 10^-3.
        flagged: with any reason, those that convict nobody included.
        drawn: sessions.
    """

    convicted: float
    convicted_early: float
    flagged: float
    drawn: int


def power(
    plan: Plan, agreed: agreement.Agreement, attack: Attack, *, draws: int, rng: np.random.Generator
) -> Power:
    """Judge drawn sessions under an attack.

    Args:
        plan: of the session.
        agreed: what its parties agreed on.
        attack: what Eve does; ``NoAttack`` gives the rates of false alarms.
        draws: sessions, > 0.
        rng: of the draws.
    """
    theory = expectation(plan.channel, attack)
    convicted = early = flagged = 0
    for _ in range(draws):
        verdict = judge(draw(plan, agreed, theory, rng), threshold=DEFAULT_THRESHOLD)
        convicted += verdict.is_compromised
        early += verdict.is_compromised or verdict.p < 1e-3
        flagged += verdict.is_anomalous
    return Power(convicted / draws, early / draws, flagged / draws, draws)


@dataclass(frozen=True)
class Scores:
    """P-values of drawn sessions, of the tests of each kind together: what a verdict would be at any level.

    Attributes:
        convicting: of the convicting tests, shape (draws,), [0, 1]; 0 where a rule convicts whatever they say.
        others: of those that draw attention only, likewise.
    """

    convicting: np.ndarray[tuple[int], np.dtype[np.float64]]
    others: np.ndarray[tuple[int], np.dtype[np.float64]]

    def below(self, level: float, tests: str) -> float:
        """Return the part of the sessions that tests of a kind, ``convicting`` or ``others``, find at a level."""
        values = self.convicting if tests == "convicting" else self.others
        return float(np.mean(values < level))


def scores(
    plan: Plan, agreed: agreement.Agreement, attack: Attack, *, draws: int, rng: np.random.Generator
) -> Scores:
    """Return the p-values of drawn sessions under an attack; arguments are those of ``power``."""
    theory = expectation(plan.channel, attack)
    found = np.array([_scored(judge(draw(plan, agreed, theory, rng))) for _ in range(draws)])
    return Scores(found[:, 0], found[:, 1])


def _scored(verdict: Verdict) -> tuple[float, float]:
    by_rule = verdict.is_compromised and verdict.p >= DEFAULT_SIGNIFICANCE
    return 0.0 if by_rule else verdict.p, _together([test for test in verdict.tests if not test.convicts])


def _together(tests: list[Test]) -> float:
    """Return the p-value of tests together, as ``judge`` does it (Bonferroni)."""
    return min(1.0, len(tests) * min(test.p for test in tests)) if tests else 1.0


def draw(plan: Plan, agreed: agreement.Agreement, theory: Expectation, rng: np.random.Generator) -> Evidence:
    """Draw the evidence of one session."""
    link = plan.channel
    p = link.rectilinear_probability
    shares = [p**2, (1 - p) ** 2, 2 * p * (1 - p)]
    sifted = np.zeros((len(link.emissions), 2), np.int64)
    errors = np.zeros_like(sifted)
    for index, (chance, _) in enumerate(link.emissions):
        clicks = rng.binomial(plan.pulses, chance * theory.gains[index])
        sifted[index] = rng.multinomial(clicks, shares)[:2]
        errors[index] = rng.binomial(sifted[index], theory.error_rates[index])
    compared, compared_errors = _sample(plan, agreed, sifted, errors, rng)
    rest, rest_errors = (sifted - compared).sum(axis=0), (errors - compared_errors).sum(axis=0)
    sample = _counts(compared.sum(axis=0), compared_errors.sum(axis=0))
    decoys = tuple(
        DecoyCounts(
            intensity=link.intensities[index],
            probability=link.intensity_probabilities[index],
            key_clicks=int(sifted[index, RECTILINEAR]),
            test_clicks=int(sifted[index, DIAGONAL]),
            test_errors=int(errors[index, DIAGONAL]),
        )
        for index in range(len(link.intensities))
    )
    found = agreement.Evidence(key_bits=int(rest.sum()), compared=sample, decoys=decoys)
    reconciled = plan.feasible and sample.total and rest.sum() and found.best_length(agreed)
    return Evidence(
        compared=sample,
        corrected=_counts(rest, rest_errors) if reconciled else BasisCounts(),
        expected_qber=plan.expected_qber,
        link=link,
        pulses=plan.pulses,
        clicks=tuple(
            Clicks(
                sifted=count.key_clicks + count.test_clicks,
                compared=count.test_clicks,
                errors=count.test_errors,
            )
            for count in decoys
        ),
    )


def _sample(
    plan: Plan,
    agreed: agreement.Agreement,
    sifted: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    errors: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    rng: np.random.Generator,
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], np.ndarray[tuple[int, int], np.dtype[np.int64]]]:
    """Return the compared bits and their errors, by intensity and basis."""
    if agreed.by_basis:
        diagonal = np.array([0, 1])
        return sifted * diagonal, errors * diagonal
    right = sifted[0] - errors[0]
    size = min(plan.sample_bits, max(0, int(sifted.sum()) - 1))
    drawn = rng.multivariate_hypergeometric(np.concatenate((right, errors[0])), size)
    return (drawn[:2] + drawn[2:])[None, :], drawn[None, 2:]


def _counts(
    bits: np.ndarray[tuple[int], np.dtype[np.int64]], errors: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> BasisCounts:
    return BasisCounts(int(bits[0]), int(errors[0]), int(bits[1]), int(errors[1]))
