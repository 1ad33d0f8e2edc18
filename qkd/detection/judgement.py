"""Judge a session: run the tests on its evidence and report the findings."""

from collections.abc import Mapping, Sequence

from qkd.bits import as_number
from qkd.detection import statistics
from qkd.detection.evidence import Evidence
from qkd.detection.sequential import CHARTS, LIMIT, Chart, charts
from qkd.detection.verdict import CONVICTING, SMALLEST, Reason, ReasonCode, Test, Verdict, probability_text
from qkd.estimation import qber_interval

DEFAULT_THRESHOLD = 0.11
"""QBER above which one-way BB84 has no secret bit left: 1 - 2 h(Q) = 0 at 11.0 %."""

DEFAULT_SIGNIFICANCE = 1e-6
"""False-alarm level of all convicting tests together: at 1,000 sessions a day one false alarm in three years."""

ATTENTION_SIGNIFICANCE = 1e-4
"""False-alarm level of all other tests together: they convict nobody, so they may speak earlier."""

# What the engine says by itself, as the verdict's reason and its sentence.
_ENGINE = {
    "authentication_failed": (
        ReasonCode.AUTHENTICATION_FAILED,
        "the classical channel was tampered with: the tags of its transcript differ",
    ),
    "single_photons_missing": (
        ReasonCode.SINGLE_PHOTONS_MISSING,
        "the decoy states show fewer single photons than the link explains: multi-photon pulses may have been split",
    ),
    "key_length_not_reached": (
        ReasonCode.FELL_SHORT,
        "the key fell short of its length, which the plan allows one session in a million",
    ),
    "verification_failed": (ReasonCode.FELL_SHORT, "errors remained after reconciliation"),
}

_ANOMALIES = {
    "fewer_errors": ReasonCode.ERRORS_BELOW_EXPECTED,
    "clicks": ReasonCode.CLICKS_DIFFER,
    "weak_pulses": ReasonCode.WEAK_PULSES_CLICK,
    "rise": ReasonCode.SUDDEN_RISE,
    "drift": ReasonCode.GRADUAL_DRIFT,
}


def judge(
    evidence: Evidence,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    history: Sequence[Evidence] = (),
    significance: float = DEFAULT_SIGNIFICANCE,
) -> Verdict:
    """Judge a session by its evidence.

    Args:
        evidence: what was counted, and what the link explains.
        threshold: QBER above which the session counts as compromised, (0, 0.5].
        history: earlier clean sessions of the link, oldest first.
        significance: false-alarm level of all convicting tests together, (0, 1].

    Raises:
        ValueError: an argument outside its range.
    """
    as_number("threshold", threshold, 0, 0.5, open_low=True)
    as_number("significance", significance, 0, 1, open_low=True)
    if evidence.expected_qber is not None:
        as_number("expected_qber", evidence.expected_qber, 0, 0.5)
    tests = [*_error_tests(evidence), *_click_tests(evidence), *_history_tests(evidence, history)]
    lasting = charts([*history, evidence])
    reasons = [*_rules(evidence, threshold), *_findings(tests, significance), *_shifts(lasting)]
    tests += _chart_tests(lasting)  # beside the others: a run length is their level, no p-value of a session
    convicting = [test.p for test in tests if test.convicts]
    p = min(1.0, len(convicting) * min(convicting)) if convicting else 1.0
    beyond_doubt = any(reason.code in _BY_RULE for reason in reasons)
    compared = evidence.compared
    chi_square, p_values = _reported(evidence)
    return Verdict(
        qber=compared.qber,
        interval=qber_interval(compared.errors, compared.total) if compared.total else None,
        chi_square=chi_square,
        tests=tuple(tests),
        p_values=p_values | {test.name: test.p for test in tests},
        p=p,
        is_compromised=any(reason.code in CONVICTING for reason in reasons),
        is_anomalous=bool(reasons),
        confidence_level=1.0 if beyond_doubt else 1 - p,
        reasons=tuple(reasons),
    )


_BY_RULE = frozenset(
    {ReasonCode.QBER_ABOVE_THRESHOLD, ReasonCode.AUTHENTICATION_FAILED, ReasonCode.SINGLE_PHOTONS_MISSING}
)


def _rules(evidence: Evidence, threshold: float) -> list[Reason]:
    """Return what follows without a test: nothing to judge, the threshold, and what the engine found."""
    found = []
    if not evidence.compared.total:
        found.append(Reason(ReasonCode.NO_DATA, "no bits were compared"))
    if evidence.compared.qber > threshold:
        detail = f"QBER {evidence.compared.qber:.2%} is above the threshold of {threshold:.2%}"
        found.append(Reason(ReasonCode.QBER_ABOVE_THRESHOLD, detail))
    if evidence.aborted in _ENGINE:
        found.append(Reason(*_ENGINE[evidence.aborted]))
    return found


def _findings(tests: Sequence[Test], significance: float) -> list[Reason]:
    """Return the reasons of the tests that speak, each kind at its level over all tests of the kind."""
    found = []
    for convicts, level in ((True, significance), (False, ATTENTION_SIGNIFICANCE)):
        kind = [test for test in tests if test.convicts is convicts]
        speaking = [test for test in kind if test.p < level / len(kind)]
        found += [Reason(_code(test), f"{test.detail} ({probability_text(test.p)})") for test in speaking]
    return found


def _code(test: Test) -> ReasonCode:
    if test.name in _ANOMALIES:
        return _ANOMALIES[test.name]
    if test.name == "decoy":
        return ReasonCode.DECOYS_MISSING
    return ReasonCode.BASIS_DEPENDENT_ERRORS if test.name == "basis" else ReasonCode.ERRORS_ABOVE_EXPECTED


def _test(name: str, statistic: float, expected: float, p: float, detail: str, *, convicts: bool) -> Test:
    return Test(
        name=name,
        statistic=statistic,
        expected=expected,
        p=max(p, SMALLEST),
        convicts=convicts,
        detail=detail,
    )


def _error_tests(evidence: Evidence) -> list[Test]:
    bits, expected, found = evidence.all_bits, evidence.expected_qber, []
    if expected is not None and bits.total:
        fewer, more = statistics.binomial_tails(bits.errors, bits.total, expected)
        detail = f"{bits.qber:.2%} of all {bits.total:,} known bits are wrong where the link explains {expected:.2%}"
        found.append(_test("errors", bits.qber, expected, more, detail, convicts=True))
        found.append(_test("fewer_errors", bits.qber, expected, fewer, detail, convicts=False))
    p = statistics.equal_rates(bits)
    if p is not None:
        rect, diag = bits.errors_rect / bits.n_rect, bits.errors_diag / bits.n_diag
        detail = f"errors differ between the bases: {rect:.2%} rectilinear, {diag:.2%} diagonal"
        found.append(_test("basis", diag - rect, 0.0, p, detail, convicts=True))
    for index, (clicks, rate, p) in enumerate(statistics.intensity_errors(evidence)):
        seen = clicks.errors / clicks.compared
        detail = f"{seen:.2%} of the compared bits of {_INTENSITIES[index]} are wrong where the link explains {rate:.2%}"
        found.append(_test(f"errors_{index + 1}", seen, rate, p, detail, convicts=True))
    return found


_INTENSITIES = ("the signal", "the decoy", "the weakest pulses")


def _click_tests(evidence: Evidence) -> list[Test]:
    found = []
    total = sum(clicks.sifted for clicks in evidence.clicks)
    p = statistics.loss(evidence)
    if p is not None and evidence.link is not None:
        explained = evidence.pulses * evidence.link.gain * evidence.link.sifted_fraction
        detail = f"{total:,} sifted clicks where the link explains {explained:,.0f}: another loss, or a blocked line"
        found.append(_test("clicks", total, explained, p, detail, convicts=False))
    shares = statistics.intensity_shares(evidence)
    if shares:
        decoy, decoy_missing = evidence.clicks[1].sifted, shares[0][0]
        detail = (
            f"only {decoy:,} of {total:,} clicks are the decoy's: multi-photon pulses may have been split"
        )
        found.append(_test("decoy", decoy, 0.0, decoy_missing, detail, convicts=True))
    if len(shares) > 1:
        weakest, weakest_more = evidence.clicks[2].sifted, shares[1][1]
        detail = (
            f"{weakest:,} of {total:,} clicks are the weakest pulses': more background than the link explains"
        )
        found.append(_test("weak_pulses", weakest, 0.0, weakest_more, detail, convicts=False))
    return found


def _history_tests(evidence: Evidence, history: Sequence[Evidence]) -> list[Test]:
    compared = statistics.against_history(evidence, history)
    if compared is None:
        return []
    qber, expected = evidence.compared.qber, evidence.expected_qber or 0.0
    details = (
        f"QBER {qber:.2%} stands out of the link's history",
        "the link's errors have been rising over its last sessions",
    )
    return [
        _test(name, qber, expected, p, detail, convicts=False)
        for name, p, detail in zip(("rise", "drift"), compared, details, strict=True)
    ]


def _shifts(lasting: Mapping[str, Chart]) -> list[Reason]:
    """Return the reasons of the charts that speak at this session."""
    return [
        Reason(
            ReasonCode.LASTING_SHIFT,
            f"{CHARTS[name][2]}, over its last sessions (sum {found.statistic:.1f}, limit {LIMIT})",
        )
        for name, found in lasting.items()
        if found.speaks
    ]


def _chart_tests(lasting: Mapping[str, Chart]) -> list[Test]:
    return [
        _test(name, found.statistic, LIMIT, found.p, f"{CHARTS[name][2]}, by a sum of scores", convicts=False)
        for name, found in lasting.items()
    ]


def _reported(evidence: Evidence) -> tuple[float, dict[str, float]]:
    """Return Pearson's chi-square and the p-values of both chi-square tests: reported, not decided by (B3)."""
    compared, found, chi_square = evidence.compared, {}, 0.0
    if evidence.expected_qber is not None and compared.total:
        chi_square, found["chi_square"] = statistics.chi_square_expected(
            compared.errors, compared.total, evidence.expected_qber
        )
    bases = statistics.chi_square_bases(compared)
    if bases is not None:
        found["chi_square_bases"] = bases[1]
    return chi_square, {name: max(p, SMALLEST) for name, p in found.items()}
