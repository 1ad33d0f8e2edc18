"""Charts of a link find a small lasting shift, and speak without one no more often than stated."""

import math

import numpy as np
import pytest

from qkd.channel import preset
from qkd.detection import ReasonCode, judge
from qkd.detection.evidence import Clicks, Evidence
from qkd.detection.sequential import CHARTS, LIMIT, START, chart, charts, run_length
from qkd.estimation import BasisCounts
from tests import requirement

pytestmark = requirement("B4", "B7")
EARLY = 4.0  # a limit at which a chart speaks once in 338 sessions, so that few draws tell
BITS, RATE = 4000, 0.02


def drawn(rng, rate, sessions, bits=BITS, expected=None):
    weight = max(0.5, (rate if expected is None else expected) * bits)
    return [(int(rng.binomial(bits, rate)), weight) for _ in range(sessions)]


def session(rng, rate=RATE, clicks=(20_000, 4_000, 1_000)):
    errors = int(rng.binomial(BITS, rate))
    return Evidence(
        compared=BasisCounts(BITS // 2, errors // 2, BITS - BITS // 2, errors - errors // 2),
        expected_qber=RATE,
        link=preset("gys2005"),
        pulses=10**6,
        clicks=tuple(Clicks(sifted=int(rng.poisson(n)), compared=n // 10, errors=0) for n in clicks),
    )


def mean_run(found, sessions):
    return sessions / max(1, len(found.alarms))


@pytest.mark.parametrize("upward", [True, False], ids=["up", "down"])
@pytest.mark.parametrize(("rate", "bits"), [(1e-3, 500), (0.01, 1000), (0.1, 4000)])
def test_without_a_shift_it_speaks_no_more_often_than_stated(rate, bits, upward):
    """12 links, as self-starting charts of one link are not independent; the link's habit is half the expectation."""
    rng = np.random.default_rng(11)
    runs = [
        chart(drawn(rng, rate, 1500, bits, expected=2 * rate), upward=upward, limit=EARLY) for _ in range(12)
    ]
    alarms = sum(len(one.alarms) for one in runs)
    stated = 12 * 1500 / run_length(EARLY)
    assert alarms < stated + 3 * math.sqrt(stated)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_stated_run_length_is_that_of_normal_scores():
    """Independent standard normal scores, which those of a link never exceed: 1,000 links, until each spoke at a limit of 8."""
    rng = np.random.default_rng(12)
    sums, lengths = np.zeros(1000), np.zeros(1000)
    running = np.ones(1000, bool)
    while running.any():
        sums = np.maximum(0, sums + rng.standard_normal(1000) - 0.5)
        lengths += running
        running &= sums <= 8
    assert np.mean(lengths) == pytest.approx(run_length(8), rel=0.15)
    assert np.mean(lengths) > math.exp(8), "Lorden's bound"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rate", [1e-4, 1e-3, 0.01, 0.05, 0.1])
def test_windows_of_a_long_link_speak_no_more_often_than_stated(rate):
    """As the judge looks: at each session the 64 before it. 20,000 sessions a rate, of which a fifth of an alarm is due."""
    rng = np.random.default_rng(13)
    counts = drawn(rng, rate, 20_000)
    spoke = sum(chart(counts[end - 65 : end]).speaks for end in range(65, len(counts)))
    assert spoke <= 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("limit", [6.0, 8.0, 10.0, LIMIT])
@pytest.mark.parametrize(("rate", "bits"), [(1e-3, 500), (0.02, 4000)])
def test_up_to_the_limit_itself_it_speaks_no_more_often_than_stated(rate, bits, limit, capsys):
    """Links of 1,500 sessions, as many as make a dozen alarms due; at the limit itself five million sessions."""
    rng, links = np.random.default_rng(21), math.ceil(12 * run_length(limit) / 1500)
    alarms = sum(len(chart(drawn(rng, rate, 1500, bits), limit=limit).alarms) for _ in range(links))
    due = links * 1500 / run_length(limit)
    with capsys.disabled():
        print(f"\n| {limit} | {rate:.1%} | {links * 1500:,} | {due:.1f} | {alarms} |")  # noqa: T201 - for docs/detection.md
    assert alarms < due + 3 * math.sqrt(due)


def test_a_restless_link_is_left_alone():
    rng = np.random.default_rng(14)
    runs = [
        chart([(int(rng.poisson(80 * rng.normal(1, 0.3) ** 2)), 80.0) for _ in range(1000)], limit=EARLY)
        for _ in range(8)
    ]
    alarms = sum(len(one.alarms) for one in runs)
    assert alarms < 8 * 1000 / run_length(EARLY) + 3 * math.sqrt(24) + 12


@pytest.mark.parametrize(("shift", "within"), [(2, 30), (3, 12), (4, 8)])
def test_a_shift_is_found_within_so_many_sessions(shift, within):
    """From 2 % on, by standard deviations of a session of 4,000 compared bits; nine in ten of the links."""
    rng, delays = np.random.default_rng(15), []
    shifted = RATE + shift * math.sqrt(RATE * (1 - RATE) / BITS)
    for _ in range(20):
        counts = drawn(rng, RATE, 48) + drawn(rng, shifted, 64, expected=RATE)
        alarms = [place for place in chart(counts).alarms if place >= 48]
        delays.append(alarms[0] - 47 if alarms else 999)
    assert np.percentile(delays, 90) <= within


def test_it_starts_anew_once_it_spoke():
    rng = np.random.default_rng(16)
    counts = drawn(rng, RATE, 30) + drawn(rng, 0.05, 34, expected=RATE)
    found = chart(counts)
    assert len(found.alarms) == 1, "the new rate is the link's habit from then on"
    assert not found.speaks
    until = chart(counts[: found.alarms[0] + 1])
    assert until.speaks
    assert until.statistic > LIMIT
    assert until.since is not None
    assert until.since >= 28
    assert until.p < math.exp(-LIMIT)


def test_the_p_value_holds_at_a_given_session():
    rng = np.random.default_rng(17)
    found = [chart(drawn(rng, RATE, 40)).p for _ in range(800)]
    for level in (0.3, 0.1, 0.03):
        share = np.mean([p <= level for p in found])
        assert share <= level + 3 * math.sqrt(level / 800)


@pytest.mark.parametrize("counts", [[], [(0, 1.0)], [(0, 0.5)] * 70, [(0, 1.0)] * START, [(10**9, 1e9)] * 64])
def test_what_is_empty_short_or_always_the_same_says_nothing(counts):
    for upward in (True, False):
        found = chart(counts, upward=upward)
        assert (found.alarms, found.speaks) == ((), False)
        assert math.isfinite(found.statistic)


def test_of_every_session_something_has_to_be_expected():
    with pytest.raises(ValueError, match="expected"):
        chart([(1, 1.0), (2, 0.0)])


@pytest.mark.parametrize(
    ("clicks", "name"),
    [
        ((20_000, 4_000, 1_000), None),
        ((21_000, 4_200, 1_050), "shift_clicks_up"),
        ((19_000, 3_800, 950), "shift_clicks_down"),
        ((20_300, 3_750, 950), "shift_yield"),
    ],
)
def test_clicks_and_yield_have_charts_of_their_own(clicks, name):
    rng = np.random.default_rng(18)
    sessions = [session(rng) for _ in range(40)] + [session(rng, clicks=clicks) for _ in range(24)]
    spoke = {one for one, found in charts(sessions).items() if found.alarms}
    assert spoke == ({name} if name else set())
    assert set(charts(sessions)) == set(CHARTS)


def test_a_verdict_shows_the_charts_and_says_where_one_speaks():
    rng = np.random.default_rng(19)
    history: list[Evidence] = []
    said: list[int] = []
    for number in range(80):
        seen = session(rng, RATE if number < 40 else 0.0245)
        evidence = Evidence(compared=seen.compared, expected_qber=RATE)
        verdict = judge(evidence, history=history[-64:])
        said.append([reason.code for reason in verdict.reasons].count(ReasonCode.LASTING_SHIFT))
        assert not verdict.is_compromised
        history.append(evidence)
    assert sum(said[:40]) == 0
    assert sum(said[40:]) == 1, "once, and not with each session that follows"
    (shown,) = [test for test in verdict.tests if test.name == "shift_errors"]
    assert (shown.expected, shown.convicts) == (LIMIT, False)


def test_sessions_without_the_counts_are_left_out():
    rng = np.random.default_rng(20)
    bare = Evidence(compared=BasisCounts(100, 1, 100, 1), expected_qber=0.01)
    assert set(charts([bare] * 10)) == {"shift_errors"}
    assert charts([Evidence()] * 10) == {}
    assert charts([session(rng)] * 3) == {}
    assert charts([*[session(rng) for _ in range(10)], Evidence()]) == {}
