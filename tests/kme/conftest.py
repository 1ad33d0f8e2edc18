"""Two applications that share keys, and a stock for them."""

import pytest

from apps.sessions.records import Session
from tests.kme.saes import Application, an_application
from tests.sessions.ready import long


@pytest.fixture
def keys(aws: None) -> Session:
    """A ready session with 256 quantum keys, in blocks of 8."""
    return long(256)


@pytest.fixture
def alice(aws: None) -> Application:
    """May ask for keys with Bob and Carol."""
    return an_application("sae-alice", "sae-bob", "sae-carol")


@pytest.fixture
def bob(aws: None) -> Application:
    return an_application("sae-bob")


@pytest.fixture
def carol(aws: None) -> Application:
    return an_application("sae-carol", "*")
