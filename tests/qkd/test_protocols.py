"""Protocols side by side: bounds that hold on drawn counts, known figures, and the order that physics sets."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from qkd import bb84, keyrate, protocols
from qkd.__main__ import main
from qkd.attacks import NoAttack
from qkd.channel import preset
from qkd.entangled import entangled_channel, entangled_gain_and_error
from qkd.finite_key import OneDecoyCounts, rusca2018_bounds, rusca2018_length
from qkd.randomness import Randomness
from qkd.session import SessionParameters, run
from tests import requirement
from tests.qkd.ledger import check_ledger

LIM = preset("lim2014")


@requirement("A6", "I7")
def test_the_one_decoy_bounds_hold_on_photons_that_are_counted():
    """Photon numbers are drawn and known here: vacuum, single photons and their errors are inside the bounds."""
    rng = np.random.default_rng(1)
    light, chances = np.array([0.5, 0.15]), np.array([0.6, 0.4])
    eta, dark, misalignment = 0.1, 1e-3, 0.02
    for _ in range(20):
        kind = rng.choice(2, 400_000, p=chances)
        photons = rng.poisson(light[kind])
        seen = rng.random(kind.size) < 1 - (1 - eta) ** photons
        clicks = seen | (rng.random(kind.size) < dark)
        wrong = np.where(seen, rng.random(kind.size) < misalignment, rng.random(kind.size) < 0.5)
        key = rng.random(kind.size) < 0.8
        counts = [
            OneDecoyCounts(
                intensity=float(light[k]),
                probability=float(chances[k]),
                key_clicks=int(np.sum(clicks & key & (kind == k))),
                key_errors=int(np.sum(clicks & key & wrong & (kind == k))),
                test_clicks=int(np.sum(clicks & ~key & (kind == k))),
                test_errors=int(np.sum(clicks & ~key & wrong & (kind == k))),
            )
            for k in (0, 1)
        ]
        bounds = rusca2018_bounds(counts, epsilon_sec=1e-6)
        assert bounds.vacuum <= np.sum(clicks & key & (photons == 0))
        assert 0 < bounds.single <= np.sum(clicks & key & (photons == 1))
        single = clicks & key & (photons == 1)
        assert bounds.phase_error >= np.sum(single & wrong) / np.sum(single) - 0.01


@requirement("A6")
def test_one_decoy_leaves_somewhat_less_than_two_on_a_link_with_after_pulses():
    """Three unknowns by two intensities: less is known of empty pulses, so less is left, but of the same order."""
    one, three = (
        rate(LIM, 50, block_bits=10**7) for rate in (protocols.one_decoy_rate, protocols.three_intensity_rate)
    )
    assert 0.7 < one / three < 1.6


@requirement("A6")
@pytest.mark.parametrize("distance", [0, 50])
def test_no_protocol_passes_the_limit_of_all(distance):
    limit = keyrate.plob_bound(keyrate.at_distance(LIM, distance).transmittance)
    single = protocols.single_photon_rate(LIM, distance, block_bits=10**6)
    weak = protocols.one_decoy_rate(LIM, distance, block_bits=10**6)
    assert 0 < weak < single < limit
    assert 0 < protocols.entangled_rate(LIM, distance, block_bits=10**6) < limit


@requirement("A6")
def test_entangled_pairs_behave_as_published():
    """Ma, Fung, Lo 2007: without loss and background every pair is a coincidence; brighter sources err more."""
    perfect = preset("ideal")
    gain, error = entangled_gain_and_error(perfect, 0, 1e-4)
    assert gain == pytest.approx(2e-4, rel=0.01)
    assert error == pytest.approx(0, abs=0.001)
    dim, bright = (entangled_gain_and_error(LIM, 50, pairs) for pairs in (0.01, 0.2))
    assert bright[0] > dim[0]
    assert bright[1] > dim[1]
    # With lambda = 0.1 and little loss: errors of double pairs alone, from the paper's equation by hand.
    eta, pairs = 0.1, 0.1
    link = preset("ideal")
    lossy = type(link)(detector_efficiency=eta)
    both = 1 + 2 * eta * pairs - eta**2 * pairs
    expected = 1 - 2 / (1 + eta * pairs) ** 2 + 1 / both**2
    found = entangled_gain_and_error(lossy, 0, pairs)
    assert found[0] == pytest.approx(expected)
    visible = eta**2 * pairs * (1 + pairs) / ((1 + eta * pairs) ** 2 * both)
    assert found[1] == pytest.approx(0.5 - visible / expected)


@requirement("A2", "A6")
@pytest.mark.parametrize("pairs", [0.001, 0.02, 0.1])
@pytest.mark.parametrize("distance", [0, 50, 120])
def test_a_link_of_pairs_clicks_and_errs_as_the_formula_says(pairs, distance):
    link = replace(preset("metro_50km"), distance_km=distance)
    found = entangled_channel(link, pairs)
    gain, error = entangled_gain_and_error(link, distance, pairs)
    assert found.gain == pytest.approx(gain)
    assert found.error_rate() == pytest.approx(error)
    sent = bb84.transmit(int(50_000 / gain), found, NoAttack(), Randomness(1))
    sifted = sent.alice.bases == sent.bob.bases
    assert sent.detected == pytest.approx(50_000, rel=0.03)
    assert np.mean((sent.alice.bits != sent.bob.bits)[sifted]) == pytest.approx(error, abs=0.006)


@requirement("A4", "A6", "I7")
def test_a_session_of_entangled_pairs_runs_as_one_of_single_photons():
    link = preset("entangled_50km")
    made = entangled_channel(preset("metro_50km"), 0.02)
    assert replace(made, name=link.name, source=link.source, attenuation_db_per_km=0.2) == link
    result = run(SessionParameters(channel=link, key_length=256, seed=1))
    check_ledger(result)
    assert result.aborted is None
    assert result.families["source"] == "entangled-pairs"


@requirement("A2")
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("lim2014", {}),
        ("metro_50km", {"dead_time_pulses": 1}),
        ("metro_50km", {"double_clicks": True}),
        ("metro_50km", {"misalignment": 0.5}),
    ],
)
def test_links_that_the_formula_does_not_have_are_refused(name, wrong):
    with pytest.raises(ValueError, match="channel must"):
        entangled_channel(replace(preset(name), **wrong), 0.02)
    with pytest.raises(ValueError, match="pairs"):
        entangled_channel(preset("metro_50km"), 0.0)
    with pytest.raises(ValueError, match="intensities must be empty"):
        replace(preset("lim2014"), entangled=True)


@requirement("A6", "I7")
def test_a_one_decoy_length_is_sane():
    _, counts = protocols.one_decoy_counts(
        keyrate.at_distance(LIM, 20), block_bits=10**6, bias=0.9, intensities=(0.4, 0.15), probability=0.7
    )
    whole = rusca2018_length(counts, leaked_bits=0)
    assert 0 < rusca2018_length(counts, leaked_bits=1000) == whole - 1000
    assert rusca2018_length(counts, leaked_bits=0, epsilon_sec=1e-15) < whole
    with pytest.raises(ValueError, match="two intensities"):
        rusca2018_length(counts[:1], leaked_bits=0)
    with pytest.raises(ValueError, match="mu1 > mu2"):
        rusca2018_length(counts[::-1], leaked_bits=0)


@requirement("A6", "I7")
def test_finite_keys_are_below_infinite_ones_and_above_those_of_the_published_tails():
    rates = (protocols.published_rate, protocols.three_intensity_rate, protocols.asymptotic_rate)
    found = [rate(LIM, 20, block_bits=10**5) for rate in rates]
    assert 0 < found[0] < found[1] < found[2]


@requirement("A6")
def test_the_command_draws_the_protocols(capsys):
    assert main(["rate", "--figure", "protocols", "--step", "100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["rates"]) == [
        "single photons",
        "infinite decoys and pulses (Ma 2005)",
        "three intensities",
        "three intensities, published tails",
        "one decoy",
        "entangled pairs",
        "PLOB",
    ]
    assert all(math.isfinite(value) for values in found["rates"].values() for value in values[1:])
