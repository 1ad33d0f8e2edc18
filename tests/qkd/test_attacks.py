"""Each eavesdropper does to Bob's counts, and knows, what its description says; and what should catch it does."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkd import attacks, bb84, eve
from qkd.attacks import attack, notation
from qkd.attacks.model import Part
from qkd.attacks.roles import Disturbance, Measurement
from qkd.channel import Channel, preset
from qkd.detection import evidence_of, judge
from qkd.finite_key import binary_entropy
from qkd.randomness import Randomness
from qkd.session import AbortCode, SessionParameters, run
from tests import requirement
from tests.qkd.made_up import MADE_UP

GYS = preset("gys2005")
SINGLE = Channel(misalignment=0.01)
WEAK = Channel(
    distance_km=15,
    receiver_efficiency=0.8,
    detector_efficiency=0.5,
    dark_count_probability=2e-3,
    misalignment=0.02,
    intensities=(0.6, 0.2, 0.0),
    intensity_probabilities=(0.5, 0.3, 0.2),
)


def observe(link, eavesdropper, pulses):
    """Send pulses; return QBER, gain per intensity, Eve's knowledge and sifted bits."""
    sent = bb84.transmit(pulses, link, eavesdropper, Randomness(1))
    same = bb84.sift(sent.alice.bases, sent.bob.bases)
    wrong = np.count_nonzero(sent.alice.bits[same] != sent.bob.bits[same])
    sifted = int(np.count_nonzero(same))
    qber = wrong / max(1, sifted)
    gains = np.bincount(sent.alice.intensities, minlength=max(1, len(link.intensities))) / pulses
    return qber, gains, eve.knowledge(sent), sifted


@pytest.fixture
def every_kind(monkeypatch):
    """Attacks by name, those made up among them."""
    models = notation.MODELS | {model.kind: model for model in MADE_UP}
    monkeypatch.setattr(notation, "MODELS", models)


EVERY_KIND = [*attacks.KINDS, *(model.kind for model in MADE_UP)]


@requirement("A6")
@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("link", [Channel(distance_km=30, misalignment=0.02), WEAK], ids=["single", "weak"])
def test_what_is_drawn_is_what_theory_says_of_every_kind(every_kind, link, kind, fraction):
    eavesdropper = attack(kind, fraction=None if kind == "none" else fraction)
    theory = attacks.expectation(link, eavesdropper)
    qber, _, knowledge, sifted = observe(link, eavesdropper, 10**6)
    assert qber == pytest.approx(theory.qber, abs=5 * math.sqrt(max(theory.qber, 1e-4) / sifted))
    assert knowledge.information_bits / sifted == pytest.approx(theory.information, abs=0.01)
    assert knowledge.known_bits / sifted == pytest.approx(theory.known, abs=2.5 / math.sqrt(sifted))
    assert knowledge.guess_rate == pytest.approx(theory.guess_rate, abs=2.5 / math.sqrt(sifted))


@requirement("A6")
@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_error_rates_and_information_are_those_described(every_kind, kind, fraction):
    eavesdropper = attack(kind, fraction=None if kind == "none" else fraction)
    link = Channel(distance_km=30, misalignment=0.02)
    qber, gains, knowledge, sifted = observe(link, eavesdropper, 10**6)
    expected = eavesdropper.signal_error(0.02)
    assert qber == pytest.approx(expected, abs=5 * math.sqrt(max(expected, 1e-4) / sifted))
    assert gains[0] == pytest.approx(link.gain, abs=5 * math.sqrt(link.gain / 10**6))
    assert knowledge.information_bits / sifted == pytest.approx(eavesdropper.information(), abs=0.006)


@requirement("A6")
@pytest.mark.parametrize(
    ("role", "stated", "missing"),
    [
        (Measurement, {"kind": "x", "information_bits": 0.5, "guess": 0.75, "certain": 0.5}, "error"),
        (Measurement, {"kind": "x", "error": 0.25, "guess": 0.75, "certain": 0.5}, "information_bits"),
        (Disturbance, {"kind": "x"}, "error"),
        (Measurement, {"error": 0.25, "information_bits": 0.5, "guess": 0.75, "certain": 0.5}, "kind"),
        (object, {"kind": "x", "error": 0.25}, "Measurement"),
    ],
)
def test_an_attack_that_leaves_a_figure_of_its_own_unstated_is_refused(role, stated, missing):
    with pytest.raises(TypeError, match=f"Silent must state its .*{missing}"):
        type("Silent", (role, Part) if role is not object else (Part,), stated)


@requirement("A6")
def test_breidbart_guesses_85_percent_and_knows_nothing_for_certain():
    _, _, knowledge, _ = observe(SINGLE, attack("breidbart"), 200_000)
    assert knowledge.known_bits == 0
    assert knowledge.guess_rate == pytest.approx(math.cos(math.pi / 8) ** 2, abs=0.005)
    assert attack("breidbart").information() == pytest.approx(0.399, abs=0.001)


@requirement("A6")
def test_intercept_resend_guesses_75_percent():
    _, _, knowledge, sifted = observe(SINGLE, attack("intercept_resend"), 200_000)
    assert knowledge.guess_rate == pytest.approx(0.75, abs=0.005)
    assert knowledge.information_bits == pytest.approx(sifted / 2, rel=0.02)


@requirement("A6")
def test_splitting_with_blocking_keeps_signal_and_errors_and_betrays_itself_by_the_decoys():
    _, honest, _, _ = observe(GYS, attacks.NoAttack(), 3 * 10**9)
    qber, gains, knowledge, sifted = observe(GYS, attack("photon_number_splitting"), 3 * 10**9)
    # Of the few clicks of the decoys more are background: that is all the errors tell.
    theory = attacks.expectation(GYS, attack("photon_number_splitting"))
    assert qber == pytest.approx(theory.qber, abs=5 * math.sqrt(theory.qber / sifted))
    assert theory.qber == pytest.approx(GYS.error_rate(), abs=0.001)
    assert gains[0] == pytest.approx(honest[0], rel=0.01)
    assert gains[1] < 0.98 * honest[1]
    assert knowledge.known_bits > 0.99 * sifted


@requirement("A6")
def test_splitting_without_blocking_knows_multi_photon_bits_and_hardly_shows():
    honest_qber, honest, _, _ = observe(GYS, attacks.NoAttack(), 10**9)
    qber, gains, knowledge, sifted = observe(GYS, attack("photon_number_splitting", blocking=False), 10**9)
    assert qber == pytest.approx(honest_qber, abs=0.001)
    assert 0.7 * honest[0] < gains[0] <= honest[0]
    assert 0.1 * sifted < knowledge.known_bits < 0.4 * sifted


@requirement("A6")
def test_decoys_catch_photon_number_splitting_where_the_error_rate_does_not():
    honest = SessionParameters(channel=GYS, key_length=256, seed=1)
    split = run(replace(honest, attack=attack("photon_number_splitting")))
    assert run(honest).final_length == 256
    assert split.aborted is not None
    assert split.aborted.code is AbortCode.SINGLE_PHOTONS_MISSING
    assert split.key is None
    assert judge(evidence_of(split.ledger(), compared=split.compared)).is_compromised


@requirement("A6")
def test_splitting_without_blocking_is_covered_by_the_bound():
    result = run(
        SessionParameters(
            channel=GYS, key_length=256, seed=1, attack=attack("photon_number_splitting", blocking=False)
        )
    )
    kept = result.sifted_length - result.sampled_length
    unknown = result.sifted_length - result.eve_known_bits
    # Whatever key there is, it is shorter than what Eve does not know of the kept bits less what was disclosed.
    assert result.bound_length <= unknown * kept / result.sifted_length - result.leaked_bits


@requirement("A6")
@pytest.mark.parametrize("kind", ["photon_number_splitting", "beam_splitting"])
def test_single_photons_cannot_be_split(kind):
    honest, _, _, _ = observe(Channel(distance_km=20, misalignment=0.02), attacks.NoAttack(), 10**6)
    qber, _, knowledge, _ = observe(Channel(distance_km=20, misalignment=0.02), attack(kind), 10**6)
    assert knowledge.known_bits == 0
    assert qber == pytest.approx(honest, abs=0.002)


@requirement("A6")
def test_beam_splitting_is_invisible_and_knows_what_a_coherent_state_shares():
    honest_qber, honest, _, _ = observe(GYS, attacks.NoAttack(), 10**9)
    qber, gains, knowledge, sifted = observe(GYS, attack("beam_splitting"), 10**9)
    assert qber == pytest.approx(honest_qber, abs=0.001)
    assert gains == pytest.approx(honest, rel=0.02)
    # Eve's arm is a coherent state of mu (1 - t), independent of Bob's.
    chances = [
        (chance * GYS.gain_at(mu), chance * GYS.photon_detection(mu), mu)
        for chance, mu in zip(GYS.intensity_probabilities, GYS.intensities, strict=True)
    ]
    lost = 1 - GYS.fibre_transmittance
    expected = sum(seen * (1 - math.exp(-mu * lost)) for _, seen, mu in chances)
    assert knowledge.known_bits / sifted == pytest.approx(
        expected / sum(gain for gain, _, _ in chances), rel=0.03
    )


@requirement("A6")
def test_the_key_of_a_link_under_beam_splitting_is_safe():
    result = run(SessionParameters(channel=GYS, key_length=256, seed=1, attack=attack("beam_splitting")))
    kept = result.sifted_length - result.sampled_length
    unknown = result.sifted_length - result.eve_known_bits
    assert result.final_length == 256
    assert result.bound_length <= unknown * kept / result.sifted_length - result.leaked_bits


@requirement("A6")
def test_blinding_takes_everything_and_no_statistic_of_ours_convicts_it():
    result = run(SessionParameters(channel=GYS, key_length=256, seed=1, attack=attack("detector_blinding")))
    assert result.eve_known_bits > 0.99 * result.sifted_length
    assert result.qber < 0.01 < result.plan.expected_qber
    verdict = judge(evidence_of(result.ledger(), compared=result.compared))
    assert verdict.is_anomalous
    assert not verdict.is_compromised


@requirement("A6")
@given(
    kind=st.sampled_from([kind for kind in attacks.KINDS if kind != "none"]),
    fraction=st.floats(0, 1),
    distance=st.floats(0, 200),
    decoys=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_detection_stays_a_probability_and_knowledge_within_the_bits(kind, fraction, distance, decoys):
    link = Channel(
        distance_km=distance,
        detector_efficiency=0.2,
        intensities=(0.5, 0.1, 0.0) if decoys else (),
        intensity_probabilities=(0.5, 0.3, 0.2) if decoys else (),
    )
    eavesdropper = attack(kind, fraction=fraction)
    detection = eavesdropper.detection(link, np.arange(20))
    assert detection[0] == 0
    assert (detection >= 0).all()
    assert (detection <= 1).all()
    _, _, knowledge, sifted = observe(link, eavesdropper, 20_000)
    assert 0 <= knowledge.known_bits <= knowledge.information_bits <= sifted + 1e-9
    assert 0 <= knowledge.guess_rate <= 1
    assert 0 <= eavesdropper.signal_error(0.02) <= 0.5
    assert 0 <= eavesdropper.information() <= 1
    assert eavesdropper.describe()["kind"] == kind


@requirement("A6")
@pytest.mark.parametrize(
    ("kind", "parameters", "name"),
    [
        ("telepathy", {}, "photon_number_splitting"),
        ("none", {"fraction": 0.5}, "fraction"),
        ("breidbart", {"fraction": 2}, "fraction"),
        ("breidbart", {"blocking": True}, "blocking"),
        ("photon_number_splitting", {"blocking": 1}, "blocking"),
    ],
)
def test_bad_attacks_are_refused_by_name(kind, parameters, name):
    with pytest.raises(ValueError, match=name):
        attack(kind, **parameters)


@requirement("A6")
def test_what_is_not_given_has_its_default():
    assert attack("breidbart", fraction=None) == attacks.Breidbart(1.0)
    assert attack().describe() == {"kind": "none"}
    assert attack("photon_number_splitting", blocking=False).describe()["blocking"] is False
    assert binary_entropy(attacks.BREIDBART_GUESS) == pytest.approx(1 - 0.399, abs=0.001)
