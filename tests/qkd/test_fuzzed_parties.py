"""The fuzzer's target without atheris: sessions whose messages are changed at will."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import requirement
from tests.fuzz import parties


@requirement("A4")
@pytest.mark.parametrize("link", [0, 1])
def test_an_unchanged_session_of_the_target_gives_a_key(link, monkeypatch):
    """Otherwise the fuzzer would fuzz sessions that end before they are of interest."""
    ended = []
    monkeypatch.setattr(
        parties, "check", lambda alice, bob: ended.append((alice.secrets, bob.state.confirmed))
    )
    parties.session(link, {})
    [(secrets, confirmed)] = ended
    assert secrets is not None
    assert secrets.key.size == 64
    assert confirmed


@requirement("A4")
@settings(max_examples=80, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.binary(min_size=1, max_size=1 + 2 * parties.STEP))
def test_no_input_of_the_fuzzer_leaves_a_key_on_one_side(data):
    parties.one_input(data)


@requirement("A4")
@pytest.mark.parametrize("link", [0, 1])
@pytest.mark.parametrize("what", [0, 6, 7])
def test_every_message_changed_in_turn_leaves_no_key_on_one_side(link, what):
    flip = bytes([what, 3, 0, 0, 0, 1, 0, 5])
    count = parties.session(link, {}).count
    for index in range(0, count, 1 if count < 60 else 7):
        parties.session(link, {index: flip})
