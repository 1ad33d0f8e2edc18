"""The judge knows every kind of link: honest ones are clean, and an eavesdropper on them is found where she can be."""

from dataclasses import replace

import pytest

from qkd.attacks import InterceptResend, PhotonNumberSplitting, TimeShift, TrojanHorse
from qkd.channel import preset
from qkd.detection import evidence_of, judge
from qkd.session import SessionParameters, run
from tests import requirement

LINKS = {
    "one decoy": preset("one_decoy"),
    "entangled": preset("entangled_50km"),
    "dead time": replace(preset("metro_50km"), dead_time_pulses=200),
    "double clicks": replace(preset("lab"), double_clicks=True, dark_count_probability=1e-3),
    "not ideal": replace(preset("lim2014"), efficiency_mismatch=0.02, source_defect=1e-6),
}


def verdict(link, seed, **parameters):
    result = run(SessionParameters(channel=link, seed=seed, **parameters))
    return judge(evidence_of(result.ledger(), compared=result.compared))


@requirement("B3", "B7")
@pytest.mark.parametrize("name", LINKS)
def test_honest_sessions_are_clean(name):
    for seed in range(8):
        found = verdict(LINKS[name], seed)
        assert not found.reasons
        assert not found.is_anomalous


@requirement("A6", "B7")
@pytest.mark.parametrize("name", ["entangled", "dead time", "double clicks", "one decoy"])
def test_intercept_resend_is_convicted_on_each(name):
    assert verdict(LINKS[name], 1, attack=InterceptResend(1.0)).is_compromised


@requirement("A6", "B7")
def test_photon_number_splitting_is_convicted_with_one_decoy():
    assert verdict(LINKS["one decoy"], 1, attack=PhotonNumberSplitting()).is_compromised


@requirement("A6", "B7")
@pytest.mark.parametrize("attack", [TimeShift(mismatch=0.3), TrojanHorse(leaked_photons=0.5)])
def test_side_channels_are_seen_by_no_statistics(attack):
    """That is why the bound has to allow for them, or isolators to keep them out."""
    assert not verdict(LINKS["one decoy"], 1, attack=attack).reasons
