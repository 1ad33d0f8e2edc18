"""Fixtures of keys."""

import pytest

from tests.custody.people import ALICE, BOB, admit


@pytest.fixture
def four_eyes(aws: None) -> None:
    """Alice and Bob, admitted as persons who may ask and approve."""
    admit(ALICE)
    admit(BOB)
