"""Key lengths: known answers, and the behaviour that any bound must have."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkd.finite_key import (
    DecoyCounts,
    binary_entropy,
    lim2014_length,
    phase_error_margin,
    tomamichel2012_length,
)
from tests import requirement

MANY = 10**15


@requirement("A4")
def test_tomamichel_known_answer():
    # Worked by hand: n = 10^6, k = 10^5, Q = 2 %, leak 1.1 h(Q) n, eps_sec = 1e-10, eps_cor = 1e-15.
    mu = math.sqrt((1.1e6 / 1e11) * (100_001 / 100_000) * math.log(4e10))
    assert phase_error_margin(10**6, 10**5, 1e-10) == pytest.approx(mu)
    assert mu == pytest.approx(0.0163874, abs=1e-6)
    leak = round(1.1e6 * 0.1414405)
    expected = math.floor(10**6 * (1 - binary_entropy(0.02 + mu)) - leak - math.log2(2 / (1e-20 * 1e-15)))
    found = tomamichel2012_length(
        key_bits=10**6, sample_bits=10**5, qber=0.02, leaked_bits=leak, epsilon_sec=1e-10, epsilon_cor=1e-15
    )
    assert found == expected
    assert found == pytest.approx(618_800, abs=1500)


@requirement("A4")
@pytest.mark.parametrize(("qber", "positive"), [(0.1100, True), (0.1101, False)])
def test_the_asymptotic_threshold_is_eleven_percent(qber, positive):
    leak = math.ceil(MANY * binary_entropy(qber))
    length = tomamichel2012_length(key_bits=MANY, sample_bits=MANY, qber=qber, leaked_bits=leak)
    assert (length > 0) == positive


lengths = st.integers(0, 10**7)


@requirement("A4", "I7")
@given(n=lengths, k=lengths, qber=st.floats(0, 1), leaked=lengths, tag=st.integers(0, 200))
def test_the_bound_is_sane(n, k, qber, leaked, tag):
    def length(**changes):
        arguments = {
            "key_bits": n,
            "sample_bits": k,
            "qber": qber,
            "leaked_bits": leaked,
            "verification_bits": tag,
        }
        return tomamichel2012_length(**(arguments | changes))

    found = length()
    assert isinstance(found, int)
    assert 0 <= found <= max(0, n - leaked)
    assert length(leaked_bits=leaked + 7) == max(0, found - 7)
    assert length(qber=min(1, qber + 0.01)) <= found
    assert length(epsilon_sec=1e-20) <= found
    assert length(verification_bits=tag + 1000) <= found
    assert length(sample_bits=k * 2) >= found


@requirement("A4")
@pytest.mark.parametrize(
    ("name", "value"),
    [("key_bits", -1), ("sample_bits", 1.5), ("qber", math.nan), ("leaked_bits", True), ("epsilon_sec", 0)],
)
def test_bad_input_is_refused_by_name(name, value):
    arguments = {"key_bits": 1000, "sample_bits": 1000, "qber": 0.01, "leaked_bits": 0} | {name: value}
    with pytest.raises(ValueError, match=name):
        tomamichel2012_length(**arguments)


def decoy_counts(pulses, *, intensities=(0.5, 0.1, 0.0002), eta=0.01, dark=1e-6, error=0.01, p_key=0.9):
    """Expected counts of a link, Alice and Bob choosing the key basis with ``p_key``."""
    counts = []
    for mu, probability in zip(intensities, (0.6, 0.3, 0.1), strict=True):
        gain = 1 - (1 - dark) * math.exp(-eta * mu)
        errors = dark / 2 + error * (1 - math.exp(-eta * mu))
        key, test = pulses * probability * p_key**2, pulses * probability * (1 - p_key) ** 2
        counts.append(
            DecoyCounts(
                intensity=mu,
                probability=probability,
                key_clicks=round(key * gain),
                test_clicks=round(test * gain),
                test_errors=round(test * errors),
            )
        )
    return tuple(counts)


@requirement("A6")
def test_lim_approaches_the_single_photons_for_many_pulses():
    pulses, eta = 10**16, 0.01
    counts = decoy_counts(pulses)
    found = lim2014_length(counts, leaked_bits=0)
    tau1 = sum(p * math.exp(-mu) * mu for mu, p in zip((0.5, 0.1, 0.0002), (0.6, 0.3, 0.1), strict=True))
    single = pulses * 0.81 * tau1 * eta
    assert found <= single * (1 - binary_entropy(0.01)) * 1.001
    # The decoy estimate's own systematic gap (three- and more-photon terms) is a few percent at these intensities.
    assert found >= single * (1 - binary_entropy(0.01)) * 0.9


@requirement("A6")
def test_lim_gives_less_for_fewer_pulses_more_errors_more_leak_and_nothing_for_few():
    usual = lim2014_length(decoy_counts(10**11), leaked_bits=0)
    assert usual > 0
    assert lim2014_length(decoy_counts(10**10), leaked_bits=0) < usual / 10
    assert lim2014_length(decoy_counts(10**11, error=0.05), leaked_bits=0) < usual
    assert lim2014_length(decoy_counts(10**11), leaked_bits=1000) == usual - 1000
    assert lim2014_length(decoy_counts(10**6), leaked_bits=0) == 0


@requirement("A6")
def test_lim_sees_photon_number_splitting():
    # Eve blocks the single photons and forwards the multi-photon pulses: the weak pulses' yield collapses.
    honest = decoy_counts(10**11)
    split: tuple[Any, ...] = tuple(
        DecoyCounts(
            intensity=count.intensity,
            probability=count.probability,
            key_clicks=round(count.key_clicks * share),
            test_clicks=round(count.test_clicks * share),
            test_errors=round(count.test_errors * share),
        )
        for count, share in zip(honest, (1.0, 0.2, 0.01), strict=True)
    )
    assert lim2014_length(honest, leaked_bits=0) > 0
    assert lim2014_length(split, leaked_bits=0) == 0


@requirement("A6")
def test_lim_refuses_intensities_that_it_does_not_cover():
    with pytest.raises(ValueError, match="intensities"):
        lim2014_length(decoy_counts(10**9, intensities=(0.2, 0.1, 0.15)), leaked_bits=0)
