"""Schedules: each part runs whatever happens to the others, and running twice is the same as once."""

import pytest

from apps.common.declarations import modules_named
from apps.common.scheduling import Schedule, parts_of
from apps.detections import services as detections
from apps.keys import services as keys
from apps.keys.records import KeyState
from apps.sessions import services as sessions
from apps.sessions import tasks
from qkdplatform import schedules
from tests import requirement
from tests.conftest import TESTS
from tests.queues import into
from tests.uploads import registered


@pytest.fixture
def at_once(monkeypatch):
    """Nothing is given time."""
    for module in modules_named("schedules"):
        for name in vars(module):
            if name.endswith("_WITHIN_SECONDS"):
                monkeypatch.setattr(module, name, -1)


@requirement("B1", "C1", "I4")
def test_a_sweep_finishes_what_lost_events_left(api, stock, at_once, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
    waiting = sessions.generate(sessions.GenerateRequest(key_length=256, error_rate=0.01), actor=TESTS)
    upload = registered(api)
    job = tasks.generate_later(sessions.GenerateRequest(), count=1, actor=TESTS)
    sent.clear()
    for _ in range(2):
        schedules.sweep()
    assert sessions.find(waiting.session_id, actor=TESTS).status == "ready"
    assert upload.is_safe
    assert set(sent) == {job.job_id}


@requirement("I4")
def test_a_part_that_fails_does_not_keep_the_others_from_running(api, stock, at_once, monkeypatch):
    def broken(**_):
        raise RuntimeError("broken")

    monkeypatch.setattr(detections, "judge_overdue", broken)
    upload = registered(api)
    with pytest.raises(ExceptionGroup):
        schedules.sweep()
    assert upload.is_safe


@requirement("C5")
def test_a_refill_fills_pool_and_stock(aws, settings):
    settings.POOL_TARGET = 5
    schedules.refill()
    schedules.refill()
    assert keys.counts()[KeyState.ACTIVE] == 5
    assert len(sessions.listed(actor=TESTS, limit=10).records) == 1


@requirement("C5")
def test_a_rotation_leaves_young_keys_alone(pool, settings):
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 4
    schedules.rotate()
    assert keys.counts()[KeyState.ACTIVE] == 4


@requirement("G1")
def test_every_app_s_parts_run_in_their_order():
    names = [part.name for schedule in Schedule for part in parts_of(schedule)]
    assert len(names) >= 15
    sweep = [part.name for part in parts_of(Schedule.SWEEP)]
    assert sweep.index("uploads encrypted") < sweep.index("reservations ended"), "else a key would be lost"
    assert parts_of(Schedule.ROTATE)[0].name == "pool keys rotated"
