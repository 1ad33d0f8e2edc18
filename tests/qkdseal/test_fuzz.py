"""The fuzzer's inputs, made by hypothesis: a few in every run, many in the slow one; atheris by ``make fuzz``."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdseal.encoding import to_json
from qkdseal.envelope import Envelope
from tests import requirement
from tests.fuzz.packages import BODY, CHANGES, MESSAGE, READ, apply_changes, one_input

step = st.tuples(st.integers(0, len(CHANGES) - 1), st.integers(0, 2**24 - 1), st.integers(0, 2**16 - 1)).map(
    lambda values: bytes([values[0]]) + values[1].to_bytes(3, "big") + values[2].to_bytes(2, "big")
)
inputs = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda kind, steps: bytes([kind]) + b"".join(steps),
        st.integers(0, len(READ) - 1),
        st.lists(step, max_size=4),
    ),
)


@requirement("C2", "C9")
def test_inputs_without_a_change_open():
    for kind in range(1, len(READ)):
        one_input(bytes([kind]))
    one_input(bytes([0]) + Envelope.from_dict(MESSAGE["package"]["envelope"]).to_bytes())


@requirement("C9")
def test_a_package_that_opened_though_changed_would_be_found(monkeypatch):
    monkeypatch.setattr("tests.fuzz.packages.body.open_bytes", lambda *_: b"anything")
    with pytest.raises(AssertionError):
        one_input(bytes([READ.index(next(r for r in READ if r.__name__ == "_body"))]) + bytes(6))


@requirement("C9")
def test_every_change_changes():
    where = (70).to_bytes(3, "big")
    for number in range(len(CHANGES)):
        assert apply_changes(BODY, bytes([number]) + where + b"\x00\x02") != BODY
    assert apply_changes(to_json(MESSAGE["package"]).encode(), b"") == to_json(MESSAGE["package"]).encode()


@requirement("C2", "C9")
@settings(max_examples=150, deadline=None)
@given(data=inputs)
def test_no_input_gives_more_than_the_one_error(data):
    one_input(data)


@pytest.mark.slow
@pytest.mark.timeout(900)
@requirement("C2", "C9")
@settings(max_examples=50_000, deadline=None)
@given(data=inputs)
def test_no_input_of_very_many_gives_more_than_the_one_error(data):
    one_input(data)
