"""Detectors as they are: unequal, blind for a while, clicking twice; and who makes use of that."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from qkd import bb84, photons
from qkd.attacks import NoAttack, TimeShift, TrojanHorse, attack, expectation
from qkd.channel import Channel, preset
from qkd.eve import knowledge
from qkd.finite_key import Devices, binary_entropy, lim2014_length, rusca2018_length, single_photon_length
from qkd.randomness import Randomness
from qkd.session import SessionParameters, plan, run
from qkd.worst_case import decoy_counts, one_decoy_counts
from tests import requirement
from tests.qkd.ledger import check_ledger

SLOW = Channel(distance_km=10, misalignment=0.02, dark_count_probability=1e-4, dead_time_pulses=50)


@requirement("A2")
@pytest.mark.parametrize("pulses", range(8))
def test_a_dead_time_leaves_the_clicks_that_every_pulse_one_by_one_leaves(pulses):
    """Every outcome of up to seven pulses is added up, and held against what is drawn."""
    chance, dead = Fraction(3, 10), 2
    exact = [Fraction(0)] * (pulses + 1)
    for photons_arriving in product((0, 1), repeat=pulses):
        clicks = blind = 0
        for arriving in photons_arriving:
            if blind:
                blind -= 1
            elif arriving:
                clicks, blind = clicks + 1, dead
        exact[clicks] += math.prod(chance if one else 1 - chance for one in photons_arriving)
    link = Channel(detector_efficiency=float(chance), dead_time_pulses=dead)
    model = photons.click_model(link, lambda n: NoAttack().detection(link, n))
    world, runs = np.random.default_rng(pulses), 4000
    drawn = np.bincount([model.draw(pulses, world).photons.size for _ in range(runs)], minlength=pulses + 1)
    assert drawn.size == pulses + 1
    for count, share in zip(drawn, exact, strict=True):
        assert abs(count - runs * share) <= 5 * math.sqrt(runs * share * (1 - share)) + 1e-9


@requirement("A2", "A5")
def test_the_plan_knows_of_the_dead_time():
    sent = bb84.transmit(2_000_000, SLOW, NoAttack(), Randomness(1))
    assert sent.detected == pytest.approx(2_000_000 * SLOW.gain, rel=0.01)
    assert SLOW.gain < 1 / 50
    assert (
        plan(SessionParameters(channel=SLOW)).pulses
        > 10 * plan(SessionParameters(channel=replace(SLOW, dead_time_pulses=0))).pulses
    )
    result = run(SessionParameters(channel=SLOW, seed=1))
    assert result.final_length == 128
    check_ledger(result)


@requirement("A2")
def test_blocks_of_many_clicks_end_where_the_pulses_do():
    link = Channel(dead_time_pulses=1)
    model = photons.click_model(link, lambda n: NoAttack().detection(link, n))
    for pulses in (3_000_000, 3_000_001):
        assert model.draw(pulses, np.random.default_rng(1)).photons.size == (pulses + 1) // 2


@requirement("A2")
@pytest.mark.parametrize("distance", [500, 2_000, 10_000])
def test_detectors_that_hardly_ever_click_are_soon_done(distance):
    link = Channel(distance_km=distance, dead_time_pulses=10**6)
    assert bb84.transmit(10**13, link, NoAttack(), Randomness(1)).detected < 5000
    result = run(SessionParameters(channel=link, seed=1))
    assert result.aborted is not None
    check_ledger(result)


@requirement("A2")
def test_double_clicks_make_bits_random():
    link = Channel(dark_count_probability=0.2, double_clicks=True)
    single = replace(link, double_clicks=False)
    assert single.error_rate() == 0
    assert link.error_rate() == pytest.approx(0.1 * 0.5)
    sent = bb84.transmit(200_000, link, NoAttack(), Randomness(2))
    sifted = sent.alice.bases == sent.bob.bases
    assert np.mean((sent.alice.bits != sent.bob.bits)[sifted]) == pytest.approx(0.05, abs=0.005)
    assert expectation(link, NoAttack()).qber == pytest.approx(link.error_rate())


@requirement("A6")
@pytest.mark.parametrize("mismatch", [0.0, 0.2, 0.5, 1.0])
def test_a_time_shift_is_seen_nowhere_and_guesses_as_the_formula_says(mismatch):
    link, eve = Channel(distance_km=20, misalignment=0.02), TimeShift(mismatch=mismatch)
    honest, predicted = expectation(link, NoAttack()), expectation(link, eve)
    assert predicted.gains == pytest.approx(honest.gains)
    assert predicted.qber == pytest.approx(honest.qber)
    assert predicted.guess_rate == pytest.approx(1 / (2 - mismatch))
    found = knowledge(bb84.transmit(400_000, link, eve, Randomness(3)))
    assert found.guess_rate == pytest.approx(predicted.guess_rate, abs=0.01)
    assert found.known_bits == 0


@requirement("A6")
def test_the_favoured_detector_clicks_as_often_as_bayes_says():
    """Both shifts, both bits, clicking or not: all of them are added up."""
    mismatch = Fraction(3, 10)
    right = clicks = Fraction(0)
    for shift, bit in product((0, 1), repeat=2):
        seen = 1 - mismatch * (shift != bit)
        clicks += seen / 4
        right += (seen / 4) * (shift == bit)
    assert float(right / clicks) == pytest.approx(TimeShift(mismatch=float(mismatch)).guess)
    assert TimeShift(mismatch=0.3).information_bits == pytest.approx(
        1 - binary_entropy(float(right / clicks))
    )


@requirement("A6")
@pytest.mark.parametrize("leaked", [0.0, 0.05, 1.0])
def test_light_that_comes_back_tells_as_many_bits_as_two_coherent_states_do(leaked):
    """1 - |<a|-a>|, with the overlap summed over photon numbers."""
    overlap = sum(math.exp(-leaked) * (-leaked) ** n / math.factorial(n) for n in range(60))
    link, eve = Channel(distance_km=20, dark_count_probability=1e-3), TrojanHorse(leaked_photons=leaked)
    predicted = expectation(link, eve)
    assert predicted.known == pytest.approx(1 - overlap)
    assert predicted.qber == pytest.approx(link.error_rate())
    sent = bb84.transmit(400_000, link, eve, Randomness(4))
    found, sifted = knowledge(sent), np.count_nonzero(sent.alice.bases == sent.bob.bases)
    assert found.known_bits / sifted == pytest.approx(predicted.known, abs=0.01)
    assert found.guess_rate == pytest.approx(predicted.guess_rate, abs=0.01)


@requirement("A6")
def test_side_channels_have_a_notation_that_keeps_their_parameters():
    for text in ("time_shift:0.5:mismatch=0.2", "trojan_horse:leaked_photons=0.01+noise:0.02"):
        eve = attack(text)
        assert attack(str(eve)) == eve
    assert attack("time-shift", mismatch=0.3).describe() == {
        "kind": "time_shift", "fraction": 1.0, "mismatch": 0.3,
    }  # fmt: skip
    for wrong in (
        "time_shift:leaked_photons=0.1",
        "time_shift:mismatch=x",
        "noise:mismatch=0.1",
        "time_shift:=1",
    ):
        with pytest.raises(ValueError, match=r"mismatch|leaked_photons|parameter"):
            attack(wrong)
    with pytest.raises(ValueError, match="mismatch"):
        TimeShift(mismatch=1.1)
    with pytest.raises(ValueError, match="leaked_photons"):
        TrojanHorse(leaked_photons=-1)


@requirement("A12", "I7")
@pytest.mark.parametrize("weaker", [Fraction(1, 2), Fraction(9, 10)])
def test_clicks_of_unequal_detectors_hold_those_of_ideal_ones(weaker):
    """The proof's decomposition: whatever photons reach either detector, the weaker one, of any choice, clicks as the
    ideal one does with the probability that is taken for it; so a coin beside every ideal click keeps it."""
    for zeros, ones, weak in product(range(6), range(6), (0, 1)):
        efficiency = [weaker if index == weak else Fraction(1) for index in (0, 1)]
        faithful = Fraction(1)
        for number, eta in zip((zeros, ones), efficiency, strict=True):
            faithful *= 1 - (1 - eta) ** number if number else 1
        assert faithful >= (weaker if zeros + ones else 1)


@requirement("A12", "I7")
def test_tagged_clicks_are_known_to_eve_and_no_more_than_they_should_be():
    """Long keys: what is left is (1 - m)(1 - h(e / (1 - m))), below the ideal and above what a fraction m costs twice."""
    n, error = 10**9, 0.02
    for mismatch in (0.0, 0.01, 0.1, 0.3):
        found = single_photon_length(
            key_bits=n,
            sample_bits=n,
            errors=round(n * error),
            leaked_bits=0,
            devices=Devices(efficiency_mismatch=mismatch),
        )
        core = 1 - mismatch
        assert found / n == pytest.approx(core * (1 - binary_entropy(error / core**2)), abs=2e-3)
        assert found <= n * (1 - binary_entropy(error)) * core


@requirement("A12", "I7")
@pytest.mark.parametrize("mismatch", [0.01, 0.1, 0.3])
def test_every_bound_falls_with_the_mismatch(mismatch):
    lim, one = preset("lim2014"), preset("one_decoy")
    lengths = [
        lambda m: single_photon_length(
            key_bits=20_000,
            sample_bits=20_000,
            errors=300,
            leaked_bits=0,
            devices=Devices(efficiency_mismatch=m),
        ),
        lambda m: lim2014_length(
            decoy_counts(lim, 10**10), leaked_bits=0, devices=Devices(efficiency_mismatch=m)
        ),
        lambda m: rusca2018_length(
            one_decoy_counts(one, 10**10), leaked_bits=0, devices=Devices(efficiency_mismatch=m)
        ),
    ]
    for length in lengths:
        assert 0 < length(mismatch) < (1 - mismatch) * length(0.0)


@requirement("A12", "I7")
@pytest.mark.parametrize("defect", [1e-8, 1e-6, 1e-5])
def test_every_bound_falls_with_the_source_and_ends_where_all_clicks_may_be_its(defect):
    lim, one, pulses = preset("lim2014"), preset("one_decoy"), 10**10

    def devices(q):
        return Devices(source_defect=q, pulses=pulses, key_chance=0.25, sample_chance=0.25)

    lengths = [
        lambda q: single_photon_length(
            key_bits=10**7, sample_bits=10**7, errors=10**5, leaked_bits=0, devices=devices(q)
        ),
        lambda q: lim2014_length(decoy_counts(lim, pulses), leaked_bits=0, devices=devices(q)),
        lambda q: rusca2018_length(one_decoy_counts(one, pulses), leaked_bits=0, devices=devices(q)),
    ]
    for length in lengths:
        assert 0 < length(defect) < length(0.0) - defect * pulses / 4
        assert length(0.1) == 0


@requirement("A5", "A12", "I7")
@pytest.mark.parametrize("name", ["metro_50km", "lim2014", "one_decoy", "entangled_50km"])
def test_a_session_with_devices_that_are_not_ideal_gives_its_key(name):
    link = replace(preset(name), efficiency_mismatch=0.03, source_defect=1e-7)
    result = run(SessionParameters(channel=link, key_length=256, seed=2))
    check_ledger(result)
    assert result.final_length == 256


@requirement("A6", "A12", "I7")
@pytest.mark.parametrize("name", ["metro_50km", "lim2014", "one_decoy"])
def test_what_a_time_shift_tells_is_not_in_a_key_that_allows_for_it(name):
    """What Eve has of the sifted bits is less than what amplification takes for the mismatch."""
    mismatch = 0.1
    link = replace(preset(name), efficiency_mismatch=mismatch, distance_km=5)
    attacked = run(
        SessionParameters(channel=link, key_length=256, seed=5, attack=TimeShift(mismatch=mismatch))
    )
    check_ledger(attacked)
    assert attacked.aborted is None
    kept = attacked.sifted_length - attacked.sampled_length
    equal = run(SessionParameters(channel=replace(link, efficiency_mismatch=0.0), key_length=256, seed=5))
    assert attacked.raw_length > equal.raw_length
    hers = attacked.eve_information_bits * kept / attacked.sifted_length
    assert hers <= mismatch * kept
    assert attacked.bound_length + hers <= kept - attacked.leaked_bits


@requirement("A4", "I7")
def test_the_mismatch_is_agreed_on():
    from tests.qkd.test_parties import agreement

    announced = {
        agreement(devices=devices).announcement()
        for devices in (
            Devices(),
            Devices(efficiency_mismatch=0.1),
            Devices(source_defect=0.1),
            Devices(source_defect=0.1, pulses=1),
            Devices(source_defect=0.1, pulses=1, key_chance=0.5),
        )
    }
    assert len(announced) == 5


@requirement("A2")
@pytest.mark.parametrize(
    "wrong",
    [
        {"dead_time_pulses": -1},
        {"dead_time_pulses": 1.5},
        {"dead_time_pulses": True},
        {"double_clicks": 1},
        {"efficiency_mismatch": 0.95},
        {"efficiency_mismatch": math.nan},
        {"source_defect": 0.2},
        {"source_defect": -1e-9},
        {"entangled": 1},
    ],
    ids=str,
)
def test_detectors_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Channel(**wrong)
