"""Sessions with a signal and one decoy: both work out the same bound, errors of the key are part of it."""

from dataclasses import replace

import numpy as np
import pytest

from qkd import planning
from qkd.agreement import Evidence
from qkd.attacks import PhotonNumberSplitting
from qkd.channel import Channel, preset
from qkd.classical import Kind, LocalChannel, Message, ProtocolError
from qkd.estimation import BasisCounts
from qkd.finite_key import DecoyCounts, OneDecoyCounts, rusca2018_length
from qkd.optimisation import optimum
from qkd.parties.common import COUNTS
from qkd.session import SessionParameters, run
from qkd.worst_case import Demand
from tests import requirement
from tests.qkd.ledger import check_ledger
from tests.qkd.test_parties import flip_bit, lead, reach_reconciled, two_parties

LINK = replace(preset("one_decoy"), distance_km=10.0)
PULSES = 20_000_000


def parties(channel_to=LocalChannel):
    return two_parties(channel_to, link=LINK, pulses=PULSES, low_latency=True)


@requirement("A4", "A6", "A12")
def test_both_parties_bound_the_key_by_the_same_counts():
    alice, bob, _ = parties()
    lead(bob)
    state = bob.state
    assert np.array_equal(alice.secrets.key, state.secrets.key)
    assert sum(state.key_errors) == state.corrected.errors > 0
    assert len(state.key_errors) == len(state.evidence.decoys) == 2


@requirement("A4", "A12", "I7")
@pytest.mark.parametrize("variable_length", [False, True])
def test_a_session_gives_what_the_bound_of_its_own_counts_allows(variable_length):
    result = run(SessionParameters(channel=LINK, key_length=256, seed=3, variable_length=variable_length))
    check_ledger(result)
    assert result.aborted is None
    assert result.families["bound"] == "rusca2018-exact-tails"
    assert (result.final_length > 256) is variable_length


@requirement("A4")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(15),
        bytes(16),
        (10**9).to_bytes(8, "little") + bytes(200),
        bytes(8) + b"\xff" * 8 + bytes(200),
    ],
    ids=["nothing", "half", "errors only", "more errors than bits", "more errors of the decoy"],
)
def test_impossible_errors_of_the_key_end_the_session(body):
    alice, bob, channel = parties()
    reach_reconciled(bob)
    with pytest.raises(ProtocolError):
        channel.ask(Message.of_bytes(Kind.AMPLIFY, body), 0)
    assert alice.provisional is None
    assert alice.ended


@requirement("A4")
@pytest.mark.parametrize("errors", [(2**63, 0), (0, 2**63), (0, 10**7)])
def test_impossible_errors_of_an_intensity_end_the_session(errors):
    alice, bob, channel = parties()
    bob.agree()
    bob.sift()
    channel.ask(Message.of_bytes(Kind.SAMPLE, bytes(32)), 10**9, fewest=0)
    with pytest.raises(ProtocolError, match="impossible"):
        channel.ask(Message.of_bytes(Kind.COUNTS, COUNTS.pack(0, 0, *errors, 0)), 0)
    assert alice.ended


@requirement("A4")
def test_errors_changed_on_the_way_leave_no_key():
    class Tampering(LocalChannel):
        def _exchange(self, question, longest):
            asked = flip_bit(question) if question.kind is Kind.AMPLIFY else question
            return super()._exchange(asked, longest)

    alice, bob, _ = parties(Tampering)
    reach_reconciled(bob)
    with pytest.raises(ProtocolError):
        bob.amplify()
    assert alice.provisional is None
    assert bob.state.secrets is None


@requirement("A6", "I7")
def test_photon_number_splitting_leaves_no_key():
    attacked = run(SessionParameters(channel=preset("one_decoy"), seed=1, attack=PhotonNumberSplitting()))
    assert attacked.key is None
    check_ledger(attacked)


@requirement("I7")
def test_more_errors_and_discarded_bits_only_shorten_the_key():
    def length(*, test_errors=600, decoys_key_errors=1_500, discarded_bits=0):
        signal = OneDecoyCounts(
            intensity=0.5,
            probability=0.6,
            key_clicks=500_000,
            key_errors=7_000,
            test_clicks=40_000,
            test_errors=test_errors,
        )
        decoy = OneDecoyCounts(
            intensity=0.15,
            probability=0.4,
            key_clicks=100_000,
            key_errors=decoys_key_errors,
            test_clicks=8_000,
            test_errors=130,
        )
        return rusca2018_length([signal, decoy], leaked_bits=0, discarded_bits=discarded_bits)

    whole = length()
    assert whole > 0
    assert length(test_errors=700) < whole
    assert length(decoys_key_errors=2_000) < whole
    assert length(discarded_bits=1000) < whole - 800


@requirement("I7")
def test_before_correction_errors_are_guessed_from_those_compared():
    counts = ((500, 300, 3), (100, 60, 6))
    evidence = Evidence(
        key_bits=600,
        compared=BasisCounts(),
        decoys=tuple(
            DecoyCounts(intensity=mu, probability=0.5, key_clicks=n, test_clicks=k, test_errors=e)
            for mu, (n, k, e) in zip((0.5, 0.1), counts, strict=True)
        ),
    )
    assert [count.key_errors for count in evidence.one_decoy] == [5, 10]
    known = replace(evidence, key_errors=(0, 0))
    assert [count.key_errors for count in known.one_decoy] == [0, 0]


@pytest.mark.slow
@requirement("A5")
def test_the_planner_finds_light_that_takes_fewer_pulses():
    demand = Demand(256, LINK, 1e-10, 1e-15, 100)
    found = optimum(demand)
    assert len(found.channel.intensities) == 2
    before, after = (planning.plan_for(one, optimise=False).pulses for one in (demand, found))
    assert after < before


@requirement("A2")
@pytest.mark.parametrize("light", [(0.1, 0.1), (0.1, 0.2), (0.3, 0.0)])
def test_two_intensities_that_the_bound_does_not_cover_are_refused(light):
    with pytest.raises(ValueError, match="mu1 > mu2 > 0"):
        Channel(intensities=light, intensity_probabilities=(0.5, 0.5))
