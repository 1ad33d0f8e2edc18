"""Prepare, measure, sift, and what channel and Eve do to it."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from qkd import attacks, bb84, channel, eve
from qkd.channel import Channel
from qkd.randomness import Randomness
from tests import requirement


def sifted(pulses, *, link=None, attack=None, seed=1):
    link = Channel() if link is None else link
    sent = bb84.transmit(pulses, link, attack or attacks.NoAttack(), Randomness(seed))
    same = bb84.sift(sent.alice.bases, sent.bob.bases)
    return SimpleNamespace(
        alice=sent.alice.bits[same],
        bob=sent.bob.bits[same],
        bases=sent.alice.bases[same],
        intensities=sent.alice.intensities[same],
        detected=sent.detected,
        knowledge=eve.knowledge(sent),
    )


def error_rate(bits):
    return np.mean(bits.alice != bits.bob)


def sigma(rate, count):
    return math.sqrt(rate * (1 - rate) / count)


@requirement("A1")
def test_the_four_states_are_the_four_polarizations():
    bits, bases = np.array([0, 1, 0, 1], np.uint8), np.array([0, 0, 1, 1], np.uint8)
    states = bb84.prepare(bits, bases)
    assert [bb84.ANGLES_DEGREES[state] for state in states] == [0, 90, 45, 135]


@requirement("A1")
@pytest.mark.parametrize("state", range(4))
@pytest.mark.parametrize("basis", [0, 1])
def test_measurement_follows_malus_law(state, basis):
    photons = 20_000
    outcomes = bb84.measure(
        np.full(photons, state, np.uint8), np.full(photons, basis, np.uint8), np.random.default_rng(3)
    )
    angle = math.radians(bb84.ANGLES_DEGREES[state] - (0 if basis == 0 else 45))
    assert np.mean(outcomes) == pytest.approx(math.sin(angle) ** 2, abs=5 * 0.5 / math.sqrt(photons))


@requirement("A1", "A3")
def test_a_perfect_channel_gives_equal_bits_in_half_of_the_pulses():
    bits = sifted(40_000)
    assert np.array_equal(bits.alice, bits.bob)
    assert bits.alice.size == pytest.approx(20_000, abs=5 * 100)


@requirement("A1")
def test_alices_bits_and_both_bases_come_from_the_operating_system(monkeypatch):
    asked = []

    def urandom(size):
        asked.append(size)
        return bytes(size)

    monkeypatch.setattr("qkd.randomness.os.urandom", urandom)
    sent = bb84.transmit(800, Channel(), attacks.NoAttack(), Randomness())
    assert asked == [32, 100, 100, 100]
    assert sent.alice.bits.size == 800
    assert not sent.alice.bits.any()


@requirement("A1")
def test_a_seed_reproduces_and_marks_non_secret():
    one, two = sifted(1000, seed=5), sifted(1000, seed=5)
    assert np.array_equal(one.alice, two.alice)
    assert np.array_equal(one.bob, two.bob)
    assert not Randomness(5).secret
    assert Randomness().secret


@requirement("A2")
@pytest.mark.parametrize("name", sorted(channel.PRESETS))
def test_a_presets_clicks_and_errors_are_those_of_its_formula(name):
    link = channel.preset(name)
    pulses = min(10**9, int(60_000 / link.gain))
    bits = sifted(pulses, link=link)
    assert bits.detected == pytest.approx(pulses * link.gain, abs=5 * math.sqrt(pulses * link.gain))
    expected = link.error_rate()
    assert error_rate(bits) == pytest.approx(expected, abs=5 * sigma(expected, bits.alice.size) + 1e-12)


@requirement("A2")
def test_gys_figures_are_the_published_ones():
    link = channel.preset("gys2005")
    assert link.transmittance == pytest.approx(10 ** (-0.21 * 50 / 10) * 0.045)
    assert link.error_at(0.48) == pytest.approx(0.033, abs=0.001)


@requirement("A2")
def test_darkness_alone_gives_random_bits():
    link = Channel(distance_km=5000, dark_count_probability=1e-3)
    bits = sifted(10**8, link=link)
    assert error_rate(bits) == pytest.approx(0.5, abs=5 * sigma(0.5, bits.alice.size))


@requirement("A2")
def test_biased_bases_sift_more():
    link = Channel(rectilinear_probability=0.9)
    bits = sifted(100_000, link=link)
    assert bits.alice.size == pytest.approx(82_000, abs=1000)
    assert np.mean(bits.bases == bb84.DIAGONAL) == pytest.approx(0.01 / 0.82, abs=0.003)


@requirement("A6")
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_intercept_resend_errs_on_a_quarter_of_what_it_touches(fraction):
    bits = sifted(200_000, attack=attacks.InterceptResend(fraction))
    assert error_rate(bits) == pytest.approx(fraction / 4, abs=5 * sigma(0.25, bits.alice.size))
    known = bits.knowledge.known_bits
    assert known == pytest.approx(fraction / 2 * bits.alice.size, abs=5 * math.sqrt(bits.alice.size))


@requirement("A6")
def test_intercept_resend_adds_to_the_channels_own_errors():
    link, attack = Channel(misalignment=0.04), attacks.InterceptResend(0.5)
    bits = sifted(200_000, link=link, attack=attack)
    expected = link.error_rate(attack.signal_error(0.04))
    assert expected == pytest.approx(0.155)  # 0.125 + 0.04 - 2 * 0.125 * 0.04
    assert error_rate(bits) == pytest.approx(expected, abs=5 * sigma(expected, bits.alice.size))


@requirement("A2")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("distance_km", -1),
        ("distance_km", math.nan),
        ("attenuation_db_per_km", "0.2"),
        ("detector_efficiency", 1.1),
        ("receiver_efficiency", 0),
        ("dark_count_probability", -1e-9),
        ("misalignment", 0.6),
        ("rectilinear_probability", 1.0),
        ("misalignment", True),
    ],
)
def test_impossible_physics_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        Channel(**{name: value})


@requirement("A6")
def test_unknown_presets_and_attacks_are_refused_with_those_there_are():
    with pytest.raises(ValueError, match="gys2005"):
        channel.preset("moon")
    with pytest.raises(ValueError, match="intercept_resend"):
        attacks.attack("telepathy")
    with pytest.raises(ValueError, match="fraction"):
        attacks.attack("intercept_resend", fraction=1.5)
    with pytest.raises(ValueError, match="fraction"):
        attacks.attack("none", fraction=0.5)
