"""The picture of a session: every bit accounted for, and a demonstration that is apart from any key."""

from dataclasses import replace
from itertools import pairwise

import pytest
from django.test import Client

from apps.sessions import picture
from apps.sessions.records import Session
from tests import requirement
from tests.console.demo import Demo, make_session
from tests.console.pages import SESSIONS

pytestmark = requirement("F4")
SAMPLES = range(200)


@pytest.fixture(scope="module")
def sessions_run() -> list[Session]:
    """Sessions as the engine gives them, without anything stored."""
    from tests.conftest import empty_aws

    with empty_aws():
        return [
            make_session(0.02, judged=False),
            make_session(0.13, judged=False),
            make_session(0.02, judged=False, eavesdropper={"kind": "intercept_resend", "fraction": 1.0}),
            make_session(None, judged=False, channel="lab", key_length=256),  # type: ignore[arg-type]
        ]


def test_every_bit_is_either_kept_or_told_why_not(sessions_run: list[Session]) -> None:
    for session in sessions_run:
        steps = picture.funnel(session)
        assert [step.name for step in steps] == ["raw", "detected", "sifted", "kept", "corrected", "final"]
        for before, after in pairwise(steps):
            assert before.bits == after.bits + after.lost, (before, after)
            assert bool(after.why) is bool(after.lost)
        assert steps[-1].bits == session.ledger["lengths"]["final"]


def test_each_basis_has_its_errors_within_their_interval(sessions_run: list[Session]) -> None:
    for session in sessions_run:
        found = picture.errors_by_basis(session)
        assert sum(one.compared for one in found) == session.counts["n_rect"] + session.counts["n_diag"]
        assert all(one.low <= one.rate <= one.high for one in found)


def test_no_bits_compared_is_no_error_rate(sessions_run: list[Session]) -> None:
    nothing = dict.fromkeys(("n_rect", "errors_rect", "n_diag", "errors_diag"), 0)
    assert picture.errors_by_basis(replace(sessions_run[0], counts=nothing)) == []


def test_the_curve_falls_and_stays_below_what_is_possible(sessions_run: list[Session]) -> None:
    plain, *_, lab = sessions_run
    assert picture.rate_curve(plain) is None, "an error rate has no distance"
    curve = picture.rate_curve(lab)
    assert curve is not None
    rates = [rate for rate in curve.rates if rate is not None]
    assert rates == sorted(rates, reverse=True)
    for rate, bound in zip(curve.rates, curve.bound, strict=True):
        assert rate is None or bound is None or rate <= bound
    assert 0 < curve.session_rate < rates[0], "finite keys cost something"


@pytest.mark.parametrize("tapped", [False, True])
def test_the_demonstration_obeys_bb84(tapped: bool) -> None:
    for seed in SAMPLES:
        for photon in picture.demonstrate(seed, tapped=tapped):
            assert photon.sifted == (photon.alice_basis == photon.bob_basis)
            assert not photon.compared or photon.sifted
            assert photon.error == (photon.sifted and photon.alice_bit != photon.bob_bit)
            assert (photon.eve_basis is None) is not tapped
            if tapped and photon.eve_basis == photon.alice_basis:
                assert (photon.eve_bit, photon.arriving_angle) == (photon.alice_bit, photon.angle)
            if not tapped:
                assert photon.arriving_angle == photon.angle
    assert picture.demonstrate(7, tapped=tapped) == picture.demonstrate(7, tapped=tapped)


def test_eve_turns_a_quarter_of_the_sifted_bits() -> None:
    def rate(*, tapped: bool) -> float:
        photons = [one for seed in SAMPLES for one in picture.demonstrate(seed, tapped=tapped)]
        sifted = [one for one in photons if one.sifted]
        return sum(one.error for one in sifted) / len(sifted)

    assert 0.01 < rate(tapped=False) < 0.06  # 3 % of noise
    assert 0.22 < rate(tapped=True) < 0.32  # 25 %, and the noise


def test_the_page_shows_it_all_and_says_what_is_made_up(console: Client, filled: Demo) -> None:
    address = f"{SESSIONS}{filled.ready.session_id}/picture/"
    html = console.get(address).content.decode()
    assert f"{filled.ready.ledger['lengths']['raw']:,}" in html
    assert "no key ever comes from them" in html
    assert "Eve measures every one" not in html
    assert "Eve measures every one" in console.get(address, {"eve": "yes"}).content.decode()
    for sample in ("-1", "x", "9" * 50, "٣"):
        assert console.get(address, {"sample": sample}).status_code == 200
    assert console.get(f"{SESSIONS}nope/picture/").status_code == 404


def test_the_page_is_for_who_may_see_sessions(person: object, filled: Demo) -> None:
    client = person("keys.view_poolkey")  # type: ignore[operator]
    assert client.get(f"{SESSIONS}{filled.ready.session_id}/picture/").status_code == 403
