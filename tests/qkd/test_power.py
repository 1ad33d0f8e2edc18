"""How often an eavesdropper is found, and an honest link accused: on drawn counts, held against whole sessions."""

import json

import numpy as np
import pytest

from qkd.__main__ import main
from qkd.attacks import NoAttack, attack, expectation
from qkd.channel import preset
from qkd.detection import evidence_of
from qkd.detection.judgement import ATTENTION_SIGNIFICANCE, DEFAULT_SIGNIFICANCE
from qkd.detection.power import draw, power, scores
from qkd.session import SessionParameters, agree, plan, run
from tests import requirement

CHANNELS = ("lab", "metro_50km", "gys2005", "lim2014")


def planned(name):
    parameters = SessionParameters(channel=preset(name), key_length=256)
    found = plan(parameters)
    return found, agree(parameters, found)


def figures(evidence):
    bits = evidence.all_bits
    return [
        bits.total,
        bits.errors,
        evidence.compared.total,
        evidence.compared.errors,
        *(count for clicks in evidence.clicks for count in (clicks.sifted, clicks.compared, clicks.errors)),
    ]


@requirement("B7")
@pytest.mark.parametrize("name", ["lab", "gys2005"])
@pytest.mark.parametrize("eavesdropper", ["none", "photon_number_splitting:0.3", "intercept_resend:0.02"])
def test_drawn_counts_are_those_of_whole_sessions(name, eavesdropper):
    settled, agreed = planned(name)
    listening, rng = attack(eavesdropper), np.random.default_rng(1)
    theory = expectation(settled.channel, listening)
    drawn = np.array([figures(draw(settled, agreed, theory, rng)) for _ in range(300)], float)
    whole = []
    for seed in range(12):
        result = run(
            SessionParameters(
                channel=preset(name), key_length=256, attack=listening, seed=seed, kernel="numpy"
            )
        )
        whole.append(figures(evidence_of(result.ledger(), compared=result.compared)))
    deviation = np.sqrt(drawn.std(axis=0) ** 2 * (1 / 12 + 1 / 300)) + 1e-9
    assert (np.abs(np.mean(whole, axis=0) - drawn.mean(axis=0)) < 5 * deviation + 1).all()


@requirement("B7")
@pytest.mark.parametrize("name", CHANNELS)
def test_honest_links_are_left_alone(name):
    settled, agreed = planned(name)
    found = power(settled, agreed, NoAttack(), draws=400, rng=np.random.default_rng(2))
    assert found.convicted == 0
    assert found.convicted_early <= 0.01
    assert found.flagged <= 0.005


@requirement("B7")
@pytest.mark.slow
@pytest.mark.timeout(3600)  # 2 to 10 ms a session
@pytest.mark.parametrize("name", CHANNELS)
def test_a_hundred_thousand_honest_sessions_are_accused_no_more_often_than_stated(name):
    settled, agreed = planned(name)
    found = power(settled, agreed, NoAttack(), draws=100_000, rng=np.random.default_rng(3))
    assert found.convicted <= 3e-5  # 0.1 expected
    assert found.convicted_early <= 1.2e-3
    assert found.flagged <= 2e-4


@requirement("B7")
@pytest.mark.parametrize(
    ("name", "eavesdropper"),
    [
        ("gys2005", "photon_number_splitting:0.2"),
        ("lim2014", "photon_number_splitting:0.2"),
        ("gys2005", "detector_blinding:0.2"),
        ("lab", "intercept_resend:0.1"),
    ],
)
def test_a_fifth_of_the_pulses_is_enough_to_be_noticed(name, eavesdropper):
    settled, agreed = planned(name)
    found = power(settled, agreed, attack(eavesdropper), draws=300, rng=np.random.default_rng(4))
    assert found.flagged >= 0.99


@requirement("B7")
def test_the_command_prints_the_power_of_each_cell(capsys):
    assert main(["attack", "--power", "--draws", "2", "--seed", "1", "--channel", "lab", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["kind"] for row in rows} >= {"none", "intercept_resend", "detector_blinding", "noise"}
    assert all(0 <= row["convicted"] <= row["convicted_early"] <= 1 for row in rows)
    with pytest.raises(SystemExit):
        main(["attack", "--power", "--draws", "0"])


@requirement("B7")
@pytest.mark.parametrize("eavesdropper", ["none", "photon_number_splitting:0.05", "detector_blinding:0.1"])
def test_scores_are_what_verdicts_decide_by(eavesdropper):
    settled, agreed = planned("gys2005")
    listening = attack(eavesdropper)
    found = power(settled, agreed, listening, draws=60, rng=np.random.default_rng(5))
    told = scores(settled, agreed, listening, draws=60, rng=np.random.default_rng(5))
    assert told.below(DEFAULT_SIGNIFICANCE, "convicting") == found.convicted
    assert told.below(1e-3, "convicting") == found.convicted_early
    flagged = (told.convicting < DEFAULT_SIGNIFICANCE) | (told.others < ATTENTION_SIGNIFICANCE)
    assert flagged.mean() == found.flagged


@requirement("B7")
def test_the_command_prints_and_draws_what_levels_are_worth(capsys, tmp_path):
    picture = tmp_path / "levels.png"
    given = ["attack", "--roc", "--draws", "30", "--seed", "1", "--channel", "lab", "--plot", str(picture)]
    assert main([*given, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["attack"].partition(":")[0] for row in rows[::2]] == [
        "none",
        "intercept_resend",
        "photon_number_splitting",
        "detector_blinding",
    ]
    for row in rows:
        assert list(row["found"].values()) == sorted(row["found"].values(), reverse=True)
    honest, intercepted = rows[0]["found"], rows[2]["found"]
    assert honest["0.001"] == 0
    assert intercepted["0.001"] > 0.5
    assert picture.read_bytes().startswith(b"\x89PNG")
