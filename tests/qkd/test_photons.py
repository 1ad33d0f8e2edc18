"""Weak pulses: clicks are drawn as if every pulse had been."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkd import bb84, photons
from qkd.attacks import NoAttack
from qkd.channel import Channel, preset
from qkd.randomness import Randomness
from tests import requirement

LIM = preset("lim2014")


def model(link):
    return photons.click_model(link, lambda numbers: NoAttack().detection(link, numbers))


@requirement("A6")
@given(intensity=st.floats(0, 2))
def test_photon_numbers_are_poisson(intensity):
    numbers = np.arange(40)
    probabilities = photons.poisson(intensity, numbers)
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities @ numbers == pytest.approx(intensity)


@requirement("A2", "A6")
@given(
    eta=st.floats(1e-4, 1),
    dark=st.floats(0, 0.1),
    after=st.floats(0, 0.2),
    signal=st.floats(0.3, 2),
    distance=st.floats(0, 200),
)
def test_the_classes_of_clicks_add_up_to_the_closed_form(eta, dark, after, signal, distance):
    link = Channel(
        distance_km=distance,
        detector_efficiency=eta,
        dark_count_probability=dark,
        after_pulse_probability=after,
        intensities=(signal, 0.1, 0.01),
        intensity_probabilities=(0.5, 0.3, 0.2),
    )
    assert model(link).gain == pytest.approx(link.gain, rel=1e-9)


@requirement("A2", "A6")
def test_every_intensity_clicks_and_errs_as_its_formula_says():
    pulses = 10**9
    sent = bb84.transmit(pulses, LIM, NoAttack(), Randomness(1))
    same = bb84.sift(sent.alice.bases, sent.bob.bases)
    wrong = (sent.alice.bits != sent.bob.bits) & same
    for index, (chance, intensity) in enumerate(LIM.emissions):
        these = sent.alice.intensities == index
        expected = pulses * chance * LIM.gain_at(intensity)
        assert np.count_nonzero(these) == pytest.approx(expected, abs=5 * math.sqrt(expected))
        sifted, error = np.count_nonzero(these & same), LIM.error_at(intensity)
        spread = 5 * math.sqrt(sifted * error * (1 - error))
        assert np.count_nonzero(these & wrong) == pytest.approx(sifted * error, abs=spread)


@requirement("A2")
def test_drawing_clicks_is_drawing_pulses():
    # Every pulse by itself, with the same physics in a few lines.
    link = Channel(
        detector_efficiency=0.3,
        dark_count_probability=0.01,
        intensities=(0.8, 0.3, 0.05),
        intensity_probabilities=(0.5, 0.3, 0.2),
    )
    rng, pulses = np.random.default_rng(1), 400_000
    kinds = rng.choice(3, pulses, p=link.intensity_probabilities)
    emitted = rng.poisson(np.array(link.intensities)[kinds])
    detected = rng.binomial(emitted, link.transmittance) > 0
    clicked = detected | (rng.random(pulses) < link.dark_count_probability)
    drawn = model(link).draw(pulses, np.random.default_rng(2))
    for kind in range(3):
        for number in range(4):
            dense = np.count_nonzero(clicked & (kinds == kind) & (emitted == number))
            sparse = np.count_nonzero((drawn.intensities == kind) & (drawn.photons == number))
            assert sparse == pytest.approx(dense, abs=5 * math.sqrt(2 * dense) + 5)
    random = np.count_nonzero(clicked & ~detected)
    assert np.count_nonzero(drawn.random) == pytest.approx(random, abs=5 * math.sqrt(2 * random))


@requirement("A2")
def test_after_pulses_click_more_and_err_half_of_the_time():
    quiet, ringing = (Channel(detector_efficiency=0.1, after_pulse_probability=p) for p in (0, 0.04))
    assert ringing.gain == pytest.approx(quiet.gain * (1 + 0.04 * 0.9))
    assert ringing.error_rate() == pytest.approx(0.04 * 0.9 / 2 / (1 + 0.04 * 0.9))


@requirement("A2")
def test_in_the_dark_nothing_clicks():
    assert model(Channel(distance_km=10_000)).draw(10**9, np.random.default_rng(1)).photons.size == 0


@requirement("A6")
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"intensities": (0.5, 0.1)}, "intensities"),
        ({"intensities": (0.2, 0.15, 0.1)}, "intensities"),
        ({"intensities": (0.5, 0.1, 0.2)}, "intensities"),
        ({"intensities": (3.0, 0.1, 0.0)}, "intensities"),
        ({"intensities": (0.5, 0.1, math.nan)}, "intensities"),
        ({"intensities": "abc"}, "intensities"),
        ({"intensity_probabilities": ()}, "intensity_probabilities"),
        ({"intensity_probabilities": (0.5, 0.5, 0.5)}, "intensity_probabilities"),
        ({"intensity_probabilities": (1.0, 0.0, 0.0)}, "intensity_probabilities"),
        ({"after_pulse_probability": 0.6}, "after_pulse_probability"),
    ],
)
def test_impossible_light_is_refused_by_name(changes, name):
    light = {"intensities": (0.5, 0.1, 0.0), "intensity_probabilities": (0.5, 0.3, 0.2)}
    with pytest.raises(ValueError, match=name):
        Channel(**(light | changes))
