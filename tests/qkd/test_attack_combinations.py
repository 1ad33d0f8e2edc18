"""Attacks together: what comes of them is what the formulas say, and what photons do; the impossible is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkd import attacks, bb84, eve
from qkd.__main__ import main
from qkd.attacks import (
    BeamSplitting,
    Breidbart,
    Combination,
    DetectorBlinding,
    InterceptResend,
    NoAttack,
    Noise,
    PhotonNumberSplitting,
    attack,
    combination,
    expectation,
)
from qkd.channel import Channel, preset
from qkd.finite_key import binary_entropy
from qkd.randomness import Randomness
from qkd.session import AbortCode, SessionParameters, run
from tests import requirement
from tests.qkd.photon_by_photon import Eve, simulate

WEAK = Channel(
    distance_km=15,
    attenuation_db_per_km=0.3,
    receiver_efficiency=0.8,
    detector_efficiency=0.5,
    dark_count_probability=2e-3,
    misalignment=0.02,
    intensities=(0.6, 0.2, 0.0),
    intensity_probabilities=(0.5, 0.3, 0.2),
)
SINGLE = Channel(distance_km=20, misalignment=0.02)
PULSES = 1_500_000

COMBINATIONS = {
    "intercept-resend:0.1+beam-splitting": (
        InterceptResend(0.1) + BeamSplitting(),
        Eve(intercepted=0.1, tapped=1),
    ),
    "intercept-resend:0.3+breidbart:0.4+noise:0.1": (
        combination(InterceptResend(0.3), Breidbart(0.4), Noise(0.1)),
        Eve(intercepted=0.3, breidbart=0.4, noise=0.1),
    ),
    "photon-number-splitting:0.6:no-blocking+intercept-resend:0.2+noise:0.05": (
        combination(PhotonNumberSplitting(0.6, blocking=False), InterceptResend(0.2), Noise(0.05)),
        Eve(split=0.6, intercepted=0.2, noise=0.05),
    ),
    "photon-number-splitting:0.5:no-blocking+beam-splitting:0.7+breidbart:0.3": (
        combination(PhotonNumberSplitting(0.5, blocking=False), BeamSplitting(0.7), Breidbart(0.3)),
        Eve(split=0.5, tapped=0.7, breidbart=0.3),
    ),
    "detector-blinding:0.3+intercept-resend:0.2+noise:0.2": (
        combination(DetectorBlinding(0.3), InterceptResend(0.2), Noise(0.2)),
        Eve(blinded=0.3, intercepted=0.2, noise=0.2),
    ),
}


def close(value, count):
    """Return what is within five deviations of a proportion of so many trials."""
    return pytest.approx(value, abs=5 * math.sqrt(max(value * (1 - value), 1 / count) / count))


def draw_clicks(link, eavesdropper, pulses):
    """Draw clicks with the engine; return gains, error rate, Eve's knowledge and sifted bits."""
    sent = bb84.transmit(pulses, link, eavesdropper, Randomness(1))
    same = bb84.sift(sent.alice.bases, sent.bob.bases)
    wrong = np.mean(sent.alice.bits[same] != sent.bob.bits[same])
    number = np.bincount(sent.alice.intensities, minlength=len(link.emissions))
    gains = number / [pulses * chance for chance, _ in link.emissions]
    return gains, wrong, eve.knowledge(sent), int(np.count_nonzero(same))


@requirement("A6")
@pytest.mark.parametrize("link", [WEAK, SINGLE], ids=["weak", "single"])
@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_combination_does_to_counts_and_knows_what_is_worked_out_for_it(name, link):
    eavesdropper = COMBINATIONS[name][0]
    theory = expectation(link, eavesdropper)
    gains, qber, knowledge, sifted = draw_clicks(link, eavesdropper, PULSES)
    for (chance, _), seen, gain in zip(link.emissions, gains, theory.gains, strict=True):
        assert seen == close(gain, PULSES * chance)
    assert qber == close(theory.qber, sifted)
    assert knowledge.known_bits / sifted == close(theory.known, sifted)
    assert knowledge.guess_rate == close(theory.guess_rate, sifted)
    assert knowledge.information_bits / sifted == pytest.approx(theory.information, abs=0.01)


@requirement("A6")
@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_combination_is_what_photons_sent_one_by_one_show(name):
    eavesdropper, physical = COMBINATIONS[name]
    theory, seen = expectation(WEAK, eavesdropper), simulate(WEAK, physical, PULSES, seed=3)
    for (chance, _), measured, gain in zip(WEAK.emissions, seen.gains, theory.gains, strict=True):
        assert measured == close(gain, PULSES * chance)
    # Of background clicks the engine takes the share of those she measured as if a photon had been seen: below a
    # part in a thousand here.
    assert seen.qber == pytest.approx(theory.qber, abs=0.002 + 5 * 0.5 / math.sqrt(seen.sifted))
    assert seen.known == pytest.approx(theory.known, abs=0.003 + 5 * 0.5 / math.sqrt(seen.sifted))
    assert seen.guessed == pytest.approx(theory.guess_rate, abs=0.003 + 5 * 0.5 / math.sqrt(seen.sifted))


@requirement("A6")
@pytest.mark.parametrize(
    ("eavesdropper", "physical"),
    [
        (BeamSplitting(), Eve(tapped=1.0)),
        (BeamSplitting(0.4), Eve(tapped=0.4)),
        (PhotonNumberSplitting(0.6, blocking=False), Eve(split=0.6)),
    ],
    ids=str,
)
def test_eve_holds_a_photon_of_a_random_click_as_often_as_of_a_pulse_that_was_lost(eavesdropper, physical):
    link = replace(WEAK, dark_count_probability=2e-2, after_pulse_probability=0.1)
    theory, seen = expectation(link, eavesdropper), simulate(link, physical, PULSES, seed=5)
    _, _, knowledge, sifted = draw_clicks(link, eavesdropper, PULSES)
    assert seen.known == close(theory.known, seen.sifted)
    assert knowledge.known_bits / sifted == close(theory.known, sifted)


@requirement("A6")
def test_known_answers_on_single_photons():
    link = Channel(distance_km=20)
    found = expectation(link, combination(InterceptResend(0.2), Breidbart(0.4), Noise(0.1)))
    error = 0.6 / 4
    assert found.qber == pytest.approx(error + 0.05 * (1 - 2 * error))
    assert found.known == pytest.approx(0.1)
    assert found.information == pytest.approx(0.1 + 0.4 * (1 - binary_entropy(math.cos(math.pi / 8) ** 2)))
    assert found.gains == pytest.approx((link.gain,))
    # A single photon is on one side only: no tap adds to it.
    assert expectation(link, InterceptResend(0.2) + BeamSplitting()) == expectation(
        link, InterceptResend(0.2)
    )
    blinded = expectation(link, combination(DetectorBlinding(0.5), InterceptResend(0.5)))
    assert blinded.qber == pytest.approx(0.125)
    assert blinded.known == pytest.approx(0.75)


@requirement("A6")
def test_blinding_of_half_the_pulses_without_loss_gets_a_third_of_the_clicks():
    # Half of her pulses are lost, and there is no loss to hide it: 1/4 of the pulses against 1/2.
    found = expectation(Channel(misalignment=0.03), DetectorBlinding(0.5))
    assert found.gains == pytest.approx((0.75,))
    assert found.known == pytest.approx(1 / 3)
    assert found.qber == pytest.approx(0.02)


@requirement("A6")
@given(
    chosen=st.sets(st.sampled_from([kind for kind in attacks.KINDS if kind != "none"]), min_size=2),
    fractions=st.lists(st.floats(0, 0.33), min_size=6, max_size=6),
    distance=st.floats(0, 150),
    decoys=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_any_possible_combination_gives_probabilities(chosen, fractions, distance, decoys):
    link = Channel(
        distance_km=distance,
        detector_efficiency=0.2,
        dark_count_probability=1e-6,
        misalignment=0.01,
        intensities=(0.5, 0.1, 0.0) if decoys else (),
        intensity_probabilities=(0.5, 0.3, 0.2) if decoys else (),
    )
    parts = [
        attack(kind, fraction=fraction) for kind, fraction in zip(sorted(chosen), fractions, strict=False)
    ]
    together = combination(*parts)
    found = expectation(link, together)
    assert 0 <= found.qber <= 0.5 + 1e-12
    assert 0 <= found.known <= found.information + 1e-12 <= 1 + 1e-9
    assert found.guess_rate >= 0.5 + found.known / 2 - 1e-12
    # Whatever Eve adds, she learns no less; only splitting changes which pulses click.
    if "photon_number_splitting" not in chosen:
        assert found.known >= max(expectation(link, part).known for part in parts) - 1e-9
    assert attack(str(together)) == together
    assert together.describe() == {"kind": str(together)}
    assert combination(*reversed(parts)).signal_error(0.02) == pytest.approx(together.signal_error(0.02))


@requirement("A6")
@pytest.mark.parametrize(
    ("notation", "named"),
    [
        ("intercept-resend:0.7+breidbart:0.4", "intercept_resend:0.7 and breidbart:0.4"),
        ("intercept-resend:0.7+detector-blinding:0.4", "detector_blinding:0.4"),
        ("intercept-resend:0.1+intercept-resend:0.1", "intercept_resend:0.1 and intercept_resend:0.1"),
        ("beam-splitting+photon-number-splitting", "photon_number_splitting and beam_splitting"),
        ("detector-blinding+beam-splitting:0.5", "detector_blinding and beam_splitting:0.5"),
    ],
)
def test_impossible_combinations_are_refused_by_name(notation, named):
    with pytest.raises(ValueError, match=f"{named}.* cannot be combined"):
        attack(notation)


@requirement("A6")
@pytest.mark.parametrize(
    ("notation", "parameters", "name"),
    [
        ("intercept-resend:2", {}, "fraction"),
        ("intercept-resend:x", {}, "fraction"),
        ("intercept-resend:nan", {}, "fraction"),
        ("intercept-resend:0.1:0.2", {}, "fraction"),
        ("intercept-resend:no-blocking", {}, "blocking"),
        ("none:0.5", {}, "fraction"),
        ("intercept-resend+", {}, "kind"),
        ("telepathy+noise", {}, "telepathy"),
        ("intercept-resend+noise", {"fraction": 0.5}, "fraction"),
        ("noise:0.5", {"fraction": 0.5}, "fraction"),
    ],
)
def test_bad_notation_is_refused_by_name(notation, parameters, name):
    with pytest.raises(ValueError, match=name):
        attack(notation, **parameters)


@requirement("A6")
def test_nothing_added_to_an_attack_is_the_attack():
    assert combination() == NoAttack() == attack("none+none")
    assert NoAttack() + Noise(0.1) == Noise(0.1) == attack("noise:0.1")
    assert attack("noise:1e-3") == Noise(0.001)
    assert attack("photon-number-splitting:0.5:no-blocking") == PhotonNumberSplitting(0.5, blocking=False)
    together = InterceptResend(0.5) + Noise(0.2)
    assert isinstance(together, Combination)
    assert together.on_share(0.5) == InterceptResend(0.25) + Noise(0.1)


@requirement("A6", "I7")
def test_a_session_takes_several_attacks_and_records_them():
    link = preset("gys2005")
    both = (InterceptResend(0.02), BeamSplitting())
    result = run(SessionParameters(channel=link, key_length=256, seed=1, attack=both))
    assert result.attack == {"kind": "intercept_resend:0.02+beam_splitting"}
    json.dumps(result.ledger(), allow_nan=False)
    theory = expectation(link, combination(*both))
    assert result.eve_known_bits / result.sifted_length == pytest.approx(theory.known, rel=0.05)
    kept = result.sifted_length - result.sampled_length
    unknown = result.sifted_length - result.eve_known_bits
    # Whatever key there is, it is shorter than what Eve does not know of the kept bits less what was disclosed.
    assert result.bound_length <= unknown * kept / result.sifted_length - result.leaked_bits
    with pytest.raises(ValueError, match="attack"):
        SessionParameters(error_rate=0.02, attack=(InterceptResend(), "noise"))  # type: ignore[arg-type] # what is refused
    with pytest.raises(ValueError, match="cannot be combined"):
        SessionParameters(error_rate=0.02, attack=(InterceptResend(), Breidbart()))


@requirement("A6")
def test_decoys_catch_splitting_whatever_goes_with_it():
    both = attack("photon-number-splitting+intercept-resend:0.01")
    result = run(SessionParameters(channel=preset("gys2005"), key_length=256, seed=1, attack=both))
    assert result.aborted is not None
    assert result.aborted.code is AbortCode.SINGLE_PHOTONS_MISSING


@requirement("A6")
def test_the_command_line_sweeps_a_combination(capsys):
    notation = "intercept-resend:0.4+noise:0.2"
    assert main(["attack", "--attack", notation, "--points", "3", "--seed", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    for row in rows:
        error = 0.1 * row["fraction"]
        error += 0.1 * row["fraction"] * (1 - 2 * error)
        assert row["expected_qber"] == pytest.approx(error + 0.02 * (1 - 2 * error))
        assert row["qber"] == pytest.approx(row["expected_qber"], abs=0.04)
        assert row["expected_eve_information"] == pytest.approx(0.2 * row["fraction"])
    with pytest.raises(SystemExit):
        main(["run", "--attack", "breidbart+intercept-resend"])
    assert "cannot be combined" in capsys.readouterr().err
