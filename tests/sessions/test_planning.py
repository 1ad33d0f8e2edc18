"""A session is planned once, however it is asked for: the plan that says how long it takes is the one that is run."""

import pytest

from apps.sessions import services, tasks
from apps.sessions.records import Session
from apps.sessions.services import GenerateRequest
from qkd import planning
from tests import requirement
from tests.conftest import TESTS

REQUEST = GenerateRequest(key_length=256, error_rate=0.01)


@pytest.fixture
def plans(monkeypatch):
    """The key lengths that were planned for."""
    made: list[int] = []
    plan = planning.plan

    def counted(**arguments):
        made.append(arguments["key_length"])
        return plan(**arguments)

    monkeypatch.setattr(planning, "plan", counted)
    return made


@requirement("A5", "A9")
def test_a_session_asked_for_over_the_api_is_planned_once(api, plans):
    assert api.post("qkd/generate", {"key_length": 256, "error_rate": 0.01}).status_code == 201
    assert plans == [256]


@requirement("A9")
def test_a_session_too_long_for_a_request_is_planned_once_before_it_is_queued(
    api, plans, settings, monkeypatch
):
    monkeypatch.setattr(tasks.generate_batch, "delay", lambda _: None)
    settings.GENERATE_LIMIT_SECONDS = 0
    assert api.post("qkd/generate", {"key_length": 256, "error_rate": 0.01}).status_code == 202
    assert plans == [256]


@requirement("A5")
def test_a_session_that_nobody_planned_before_is_planned_as_it_is_run(aws, plans):
    made = services.generate(REQUEST, actor=TESTS)
    assert isinstance(made, Session)
    assert plans == [256]


@requirement("A5")
def test_a_planned_session_runs_as_planned(aws, plans):
    planned = services.plan(REQUEST)
    made = services.generate(planned, actor=TESTS)
    assert plans == [256]
    assert made.ledger["lengths"]["raw"] == planned.plan.pulses
    assert made.parameters == REQUEST.as_document()
