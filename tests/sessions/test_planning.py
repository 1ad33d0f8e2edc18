"""A plan is a search of some milliseconds: whoever runs a session pays for it once."""

import pytest

from apps.sessions import tasks
from apps.sessions.services import GenerateRequest
from qkd import planning
from qkd.worst_case import Demand
from tests import requirement
from tests.conftest import TESTS
from tests.queues import into


@pytest.fixture
def searches(monkeypatch):
    """Key lengths for which a plan was searched for, from now on."""
    planning.plan_for.cache_clear()
    lengths: list[int] = []
    search = Demand.clicks

    def count(demand):
        lengths.append(demand.key_length)
        return search(demand)

    monkeypatch.setattr(Demand, "clicks", count)
    return lengths


@requirement("A5", "E1")
def test_a_request_that_generates_a_session_plans_once(api, searches):
    asked = {"key_length": 256, "error_rate": 0.02}
    assert api.post("qkd/generate", asked).status_code == 201
    assert searches == [256]


@requirement("A5")
def test_a_batch_plans_once_for_all_its_sessions(aws, searches, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
    tasks.generate_later(GenerateRequest(key_length=64, error_rate=0.01), count=3, actor=TESTS)
    tasks.generate_batch(sent[0])
    assert searches == [64]


@requirement("A5")
def test_another_link_or_key_has_a_plan_of_its_own(api, searches):
    for key_length, error_rate in ((64, 0.01), (65, 0.01), (64, 0.02)):
        asked = {"key_length": key_length, "error_rate": error_rate}
        assert api.post("qkd/generate", asked).status_code == 201
    assert searches == [64, 65, 64]
