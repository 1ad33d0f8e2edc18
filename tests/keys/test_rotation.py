"""Rotations: which keys are due, which one replaces another (C5, C6)."""

from collections import Counter
from datetime import timedelta

import pytest

from apps.common import clock
from apps.custody import retirement
from apps.keys import rotation, services
from apps.keys.records import IllegalTransition, KeyState, RotationStatus, rotation_id_of
from tests import requirement
from tests.conftest import TESTS
from tests.keys.rewriting import rewritten


def rotation_of(key):
    return rotation.find(rotation_id_of(key.key_id))


@requirement("C5")
def test_keys_are_queued_for_rotation_within_thirty_days(pool, settings):
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 4
    ages = [rotation.lifetime(key.key_id, days=30) for key in pool]
    rewritten(pool[0], created_at=clock.now() - ages[0] - timedelta(minutes=1))
    rewritten(pool[1], created_at=clock.now() - ages[1] + timedelta(minutes=5))
    assert retirement.rotate_due(actor=TESTS) == 1
    assert services.find(pool[0].key_id).state is KeyState.ROTATION_QUEUED
    assert services.find(pool[1].key_id).state is KeyState.ACTIVE
    assert services.counts()[KeyState.ACTIVE] == 4, "refilled"
    assert retirement.rotate_due(actor=TESTS) == 0


@requirement("C5")
def test_a_key_used_often_enough_is_rotated(pool, settings):
    settings.POOL_MAX_USES, settings.POOL_TARGET, settings.POOL_LOW_WATER = 3, 4, 4
    for uses, key in zip((2, 3, 4), pool, strict=False):
        rewritten(key, usage=uses)
    assert retirement.rotate_due(actor=TESTS) == 2
    assert services.find(pool[0].key_id).state is KeyState.ACTIVE
    assert services.find(pool[1].key_id).reason == "used 3 times or more"
    assert services.counts()[KeyState.ACTIVE] == 4


@requirement("C5")
def test_one_key_that_cannot_be_queued_does_not_keep_the_others(pool, settings, monkeypatch):
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 4
    for key in pool[:3]:
        rewritten(key, created_at=clock.now() - timedelta(days=31))
    real = retirement.rotate

    def one_is_stuck(key_id, **fields):
        if key_id == pool[1].key_id:
            raise IllegalTransition("changed meanwhile")
        return real(key_id, **fields)

    monkeypatch.setattr(retirement, "rotate", one_is_stuck)
    with pytest.raises(ExceptionGroup):
        retirement.rotate_due(actor=TESTS)
    assert services.counts()[KeyState.ROTATION_QUEUED] == 2
    assert services.counts()[KeyState.ACTIVE] == 5, "all three were replaced, one is still there"


@requirement("C6")
@pytest.mark.parametrize("move", [retirement.rotate, retirement.revoke])
def test_taking_a_key_out_of_use_opens_its_rotation(pool, move):
    move(pool[0].key_id, reason="test", actor=TESTS)
    found = rotation_of(pool[0])
    assert (found.status, found.reason, found.new_key_id) == (RotationStatus.OPEN, "test", None)
    assert [r.rotation_id for r in rotation.open_rotations()] == [found.rotation_id]
    assert rotation.rotations_page(limit=5).records == [found]


@requirement("C6")
def test_revoking_a_key_in_rotation_keeps_its_one_rotation(pool):
    retirement.rotate(pool[0].key_id, reason="old", actor=TESTS)
    retirement.revoke(pool[0].key_id, reason="leaked", actor=TESTS)
    assert len(rotation.open_rotations()) == 1


@requirement("C6")
def test_a_rotation_keeps_its_new_key_while_that_is_active(pool):
    retirement.rotate(pool[0].key_id, reason="old", actor=TESTS)
    first, chosen = rotation.target_of(rotation_of(pool[0]), actor=TESTS)
    again, same = rotation.target_of(rotation_of(pool[0]), actor=TESTS)
    assert chosen.key_id == same.key_id == first.new_key_id == again.new_key_id
    retirement.rotate(chosen.key_id, reason="old too", actor=TESTS)
    _, other = rotation.target_of(rotation_of(pool[0]), actor=TESTS)
    assert other.state is KeyState.ACTIVE


@requirement("C5")
def test_keys_made_on_one_day_are_not_all_due_on_one_day():
    """A hundred of them shared a birthday, so that every file was re-wrapped on one day."""
    days = [rotation.lifetime(f"pk-{number}", days=30).total_seconds() / 86_400 for number in range(100)]
    assert 24 <= min(days) <= max(days) <= 30
    assert max(Counter(int(day) for day in days).values()) <= 30, "in six days"
    assert rotation.lifetime("pk-1", days=30) == rotation.lifetime("pk-1", days=30)
