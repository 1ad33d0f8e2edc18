"""Sessions from the first photon to the key, or to the reason for none."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkd import cascade, channel
from qkd.__main__ import EXIT_NO_KEY, main
from qkd.attacks import KINDS, InterceptResend, attack
from qkd.channel import Channel, preset
from qkd.session import AbortCode, SessionParameters, plan, run
from tests import requirement
from tests.qkd.ledger import check_ledger


def session(**parameters):
    return run(SessionParameters(**parameters))


@requirement("A4", "A5")
def test_a_256_bit_key_at_two_percent_is_had_every_time():
    for _ in range(40):
        result = session(key_length=256, error_rate=0.02)
        assert result.aborted is None, result.aborted
        assert result.key.shape == (256,)
        assert result.key.dtype == np.uint8
        assert len(result.key_bytes) == 32
        check_ledger(result)


@requirement("A5")
def test_the_default_is_128_bits():
    assert session(error_rate=0.0).final_length == 128


@requirement("A5")
@pytest.mark.parametrize("key_length", [64, 65, 1000, 50_000])
@pytest.mark.parametrize("error_rate", [0.0, 0.01, 0.05])
def test_the_length_asked_for_is_the_length_given(key_length, error_rate):
    result = session(key_length=key_length, error_rate=error_rate, seed=3)
    assert result.final_length == key_length
    assert len(result.key_bytes) == math.ceil(key_length / 8)
    check_ledger(result)


@requirement("A5")
def test_the_longest_key():
    result = session(key_length=1_048_576, error_rate=0.02)
    assert result.final_length == 1_048_576
    assert np.mean(result.key) == pytest.approx(0.5, abs=5 * 0.5 / 1024)
    check_ledger(result)


@requirement("A2", "A5")
@pytest.mark.parametrize("name", sorted(channel.PRESETS))
def test_every_preset_gives_a_key(name):
    result = session(channel=channel.preset(name), seed=1)
    assert result.final_length == 128
    check_ledger(result)


@requirement("A2", "A5")
def test_biased_bases_make_the_key_in_one_basis_and_the_sample_in_the_other():
    result = session(channel=Channel(rectilinear_probability=0.8, misalignment=0.02), seed=1)
    assert result.final_length == 128
    assert result.compared.n_rect == 0
    assert result.corrected.n_diag == 0
    check_ledger(result)


@requirement("A6", "I7")
def test_intercept_resend_on_everything_gives_25_percent_and_no_key():
    result = session(key_length=256, error_rate=0.0, attack=InterceptResend(1.0))
    assert result.aborted.code is AbortCode.QBER_ABOVE_BOUND
    assert "leaves no secret bit" in str(result.aborted)
    assert result.key is None
    assert result.key_bytes is None
    assert result.qber_interval.low < 0.25 < result.qber_interval.high
    check_ledger(result)


@requirement("A6", "I7")
@given(
    key_length=st.sampled_from([64, 128, 256, 3000]),
    error_rate=st.floats(0, 0.5),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 2**64),
)
@settings(max_examples=40, deadline=None)
def test_no_session_gives_more_than_the_bound(key_length, error_rate, fraction, seed):
    if 0.07 < error_rate < 0.12:
        error_rate = 0.12  # blocks of millions of bits: test_statistics
    result = session(
        key_length=key_length, error_rate=error_rate, attack=InterceptResend(fraction), seed=seed
    )
    check_ledger(result)


@requirement("A6", "I7")
def test_a_partial_attack_lowers_what_the_bound_allows():
    honest = session(key_length=3000, error_rate=0.01, seed=1)
    attacked = session(key_length=3000, error_rate=0.01, seed=1, attack=InterceptResend(0.08))
    assert attacked.bound_length < honest.bound_length
    assert attacked.eve_known_bits > 0
    strongly = session(key_length=3000, error_rate=0.01, seed=1, attack=InterceptResend(0.3))
    assert strongly.aborted.code in (AbortCode.KEY_LENGTH_NOT_REACHED, AbortCode.QBER_ABOVE_BOUND)


@requirement("A4", "I7")
@pytest.mark.parametrize("error_rate", [0.11, 0.2, 0.5])
def test_a_hopeless_channel_is_measured_and_refused_with_a_reason(error_rate):
    result = session(error_rate=error_rate, seed=2)
    assert not result.plan.feasible
    assert result.aborted.code is AbortCode.INFEASIBLE
    assert f"{error_rate:.2%}" in result.aborted.reason
    assert result.qber_interval.low < error_rate < result.qber_interval.high
    assert result.corrected_length == result.leaked_bits == result.final_length == 0
    check_ledger(result)


@requirement("A4")
def test_just_below_the_threshold_the_block_is_too_large():
    planned = plan(SessionParameters(error_rate=0.108))
    assert not planned.feasible
    assert "largest block" in str(planned.reason)


@requirement("A4")
def test_a_dark_link_says_so():
    result = session(channel=Channel(distance_km=10_000), seed=1)
    assert result.aborted.code is AbortCode.NO_DETECTIONS
    assert result.qber_interval is None
    check_ledger(result)


@requirement("A5")
@given(key_length=st.integers(64, 2**20), error_rate=st.floats(0, 0.09))
@settings(max_examples=30, deadline=None)
def test_a_feasible_plan_leaves_what_was_asked(key_length, error_rate):
    planned = plan(SessionParameters(key_length=key_length, error_rate=error_rate))
    assert planned.feasible == (planned.reason is None)
    if planned.feasible:
        assert planned.planned_length >= key_length
        assert planned.pulses > 2 * key_length
        assert 0 < planned.sample_bits < planned.expected_sifted


@requirement("A1")
def test_a_seed_reproduces_the_key_and_marks_it_non_secret():
    one, two, other = (session(error_rate=0.02, seed=seed) for seed in (1, 1, 2))
    assert one.same_key(two)
    assert not one.same_key(other)
    assert not one.secret
    fresh = session(error_rate=0.02)
    assert fresh.secret
    assert not fresh.same_key(session(error_rate=0.02))


@requirement("A3")
def test_the_interval_holds_the_true_rate():
    missed = 0
    for seed in range(60):
        interval = session(error_rate=0.03, seed=seed, confidence=0.9).qber_interval
        missed += not interval.low <= 0.03 <= interval.high
    assert missed <= 15  # 10 % of 60 are 6 with a deviation of 2.3


@requirement("A4")
def test_errors_that_survive_are_found_and_the_block_is_discarded(monkeypatch):
    monkeypatch.setattr("qkd.cascade.Bob.correct", lambda self, _: self._forest.bits)
    result = session(error_rate=0.02, seed=1)
    assert result.aborted.code is AbortCode.VERIFICATION_FAILED
    assert result.key is None
    assert result.corrected_length == 0
    assert result.discarded_length == result.sifted_length - result.sampled_length
    check_ledger(result)


@requirement("A8")
def test_neither_repr_nor_ledger_shows_the_key():
    result = session(error_rate=0.02, seed=1)
    bits = "".join(map(str, result.key))
    for text in (repr(result), str(result), json.dumps(result.ledger())):
        assert result.key_bytes.hex() not in text.lower()
        assert bits[:32] not in text.replace(", ", "").replace(" ", "")
        assert "array" not in text


@requirement("A5")
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"key_length": 63}, "key_length"),
        ({"key_length": 1_048_577}, "key_length"),
        ({"key_length": 128.0}, "key_length"),
        ({"key_length": True}, "key_length"),
        ({"key_length": "128"}, "key_length"),
        ({"error_rate": -0.01}, "error_rate"),
        ({"error_rate": 0.51}, "error_rate"),
        ({"error_rate": math.nan}, "error_rate"),
        ({"error_rate": True}, "error_rate"),
        ({"error_rate": None}, "exactly one"),
        ({"channel": Channel()}, "exactly one"),
        ({"error_rate": None, "channel": "ideal"}, "channel"),
        ({"attack": "none"}, "attack"),
        ({"seed": -1}, "seed"),
        ({"seed": "x"}, "seed"),
        ({"epsilon_sec": 0}, "epsilon_sec"),
        ({"epsilon_cor": 0.5}, "epsilon_cor"),
        ({"sample_fraction": 1.0}, "sample_fraction"),
        ({"confidence": 1}, "confidence"),
        (
            {"error_rate": None, "channel": Channel(rectilinear_probability=0.9), "sample_fraction": 0.3},
            "sample_fraction",
        ),
    ],
)
def test_bad_parameters_are_refused_by_name(change, name):
    with pytest.raises(ValueError, match=name):
        SessionParameters(**({"error_rate": 0.02} | change))


@requirement("A8")
def test_the_command_line_reports_without_the_key(capsys):
    assert main(["run", "--key-length", "256", "--seed", "1", "--json"]) == 0
    ledger = json.loads(capsys.readouterr().out)
    assert ledger["lengths"]["final"] == 256
    assert not ledger["secret"]
    assert main(["run", "--attack", "intercept_resend"]) == EXIT_NO_KEY
    assert "no key: the QBER" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["run", "--error-rate", "0.7"])
    assert "error_rate must be a number in [0, 0.5]" in capsys.readouterr().err


@requirement("A4", "A6", "I7")
@given(
    key_length=st.sampled_from([64, 256]),
    distance=st.floats(0, 120),
    misalignment=st.floats(0, 0.5),
    kind=st.sampled_from(KINDS),
    decoys=st.booleans(),
    bias=st.sampled_from([0.5, 0.7]),
    seed=st.integers(0, 2**64),
)
@settings(max_examples=40, deadline=None)
def test_no_link_under_no_attack_gives_more_than_the_bound(
    key_length, distance, misalignment, kind, decoys, bias, seed
):
    link = Channel(
        distance_km=distance,
        detector_efficiency=0.1,
        dark_count_probability=1e-6,
        misalignment=misalignment,
        rectilinear_probability=bias,
        intensities=(0.4, 0.1, 0.0) if decoys else (),
        intensity_probabilities=(0.25, 0.5, 0.25) if decoys else (),
    )
    parameters = {"channel": link, "key_length": key_length, "seed": seed}
    if plan(SessionParameters(**parameters)).expected_sifted > 300_000:
        return  # blocks of millions of bits: test_statistics
    check_ledger(session(**parameters, attack=attack(kind)))


@requirement("A4")
def test_a_failing_frame_costs_its_bits_and_not_the_session(monkeypatch):
    correct = cascade.Bob.correct

    def stubborn(self, subsets):
        corrected = correct(self, subsets)
        corrected[5] ^= 1
        return corrected

    monkeypatch.setattr(cascade.Bob, "correct", stubborn)
    # A frame of a tenth of the block, and a key that leaves room for losing it.
    result = session(key_length=5000, error_rate=0.01, seed=1, frame_bits=1024, epsilon_sec=1e-6)
    assert result.discarded_length > 0
    assert result.corrected_length == result.sifted_length - result.sampled_length - result.discarded_length
    check_ledger(result)


@requirement("A4")
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"epsilon_auth": 0}, "epsilon_auth"),
        ({"frame_bits": 100}, "frame_bits"),
        ({"kernel": "gpu"}, "kernel"),
        ({"optimise": 1}, "optimise"),
        ({"low_latency": 1}, "low_latency"),
        ({"variable_length": None}, "variable_length"),
        ({"optimise": True, "sample_fraction": 0.3}, "sample_fraction"),
    ],
)
def test_bad_options_are_refused_by_name(change, name):
    with pytest.raises(ValueError, match=name):
        SessionParameters(**({"error_rate": 0.02} | change))


@requirement("A1", "A4", "I7")
@pytest.mark.parametrize("channel", [None, preset("lim2014")], ids=["single photons", "decoys"])
def test_a_key_of_variable_length_takes_all_that_the_bound_gives(channel):
    asked = {"channel": channel} if channel else {"error_rate": 0.02}
    fixed, whole = (
        run(SessionParameters(key_length=256, seed=3, variable_length=variable, **asked))
        for variable in (False, True)
    )
    assert fixed.final_length == 256
    check_ledger(whole)
    assert whole.final_length + whole.authentication_bits == whole.bound_length
    assert whole.final_length > 256
    assert fixed.raw_length == whole.raw_length


@requirement("A4")
def test_numpy_reconciles_in_few_round_trips_unless_told_otherwise():
    trips = {
        choice: run(
            SessionParameters(error_rate=0.02, seed=3, kernel="numpy", low_latency=choice)
        ).round_trips
        for choice in (None, True, False)
    }
    assert trips[None] == trips[True] < trips[False] / 1.5
