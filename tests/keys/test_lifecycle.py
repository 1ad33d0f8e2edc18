"""Destruction: a window in which it can be cancelled, then nothing opens any more (C5)."""

from datetime import timedelta

import pytest

from apps.audit import verification
from apps.audit.services import transaction
from apps.common import clock
from apps.keys import lifecycle, seeds, services
from apps.keys.records import IllegalTransition, KeyState, KeyUnusable
from tests import requirement
from tests.conftest import TESTS
from tests.keys.rewriting import rewritten


def scheduled(key):
    with transaction(TESTS) as tx:
        lifecycle.schedule_destruction(
            tx, key, after=lifecycle.destruction_end(), reason="retired", messages=0
        )
    return services.find(key.key_id)


@requirement("C5", "D1")
def test_a_destruction_waits_its_window_and_can_be_cancelled(pool, monkeypatch):
    key = scheduled(rewritten(pool[0], state=KeyState.EXPIRED))
    with pytest.raises(KeyUnusable, match="awaits its destruction"):
        seeds.seed_of(key)
    assert lifecycle.due_for_destruction() == []
    with pytest.raises(IllegalTransition):
        lifecycle.destroy(key, actor=TESTS)
    kept = lifecycle.cancel_destruction(key.key_id, reason="missed", actor=TESTS)
    assert seeds.seed_of(kept)
    with pytest.raises(IllegalTransition):
        lifecycle.cancel_destruction(key.key_id, reason="again", actor=TESTS)
    later = clock.now() + timedelta(days=31)
    scheduled(kept)
    monkeypatch.setattr(clock, "now", lambda: later)
    (due,) = lifecycle.due_for_destruction()
    gone = lifecycle.destroy(due, actor=TESTS)
    assert (gone.state, gone.wrapped_seed, gone.recovery_seal) == (KeyState.DESTROYED, None, None)
    with pytest.raises(KeyUnusable):
        seeds.seed_of(gone)
    assert lifecycle.due_for_destruction() == []
    assert verification.verify().problems == []


@requirement("C5")
@pytest.mark.parametrize(
    "state", [KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.ROTATION_QUEUED, KeyState.DESTROYED]
)
def test_only_a_key_out_of_use_can_be_scheduled_for_destruction(pool, state):
    with pytest.raises(IllegalTransition):
        scheduled(rewritten(pool[0], state=state))


@requirement("C5")
@pytest.mark.parametrize(("days", "expected"), [(1, 7), (7, 7), (12, 12), (30, 30), (90, 30)])
def test_the_window_has_seven_to_thirty_days(settings, monkeypatch, days, expected):
    settings.DESTRUCTION_WINDOW_DAYS, now = days, clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    assert lifecycle.destruction_end() - now == timedelta(days=expected)
