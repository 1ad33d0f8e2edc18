"""States after SP 800-57: one table, drawn; illegal moves refused; retirement by age, use and version (C5)."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from apps.audit import verification
from apps.audit.services import transaction
from apps.common import clock
from apps.common.errors import Invalid
from apps.custody import retirement
from apps.files import messages
from apps.keys import admin, diagram, lifecycle, policy, rotation, seeds, services, transitions
from apps.keys.records import (
    PARTICIPLES,
    TARGETS,
    TRANSITIONS,
    IllegalTransition,
    KeyState,
    KeyUnusable,
    RotationStatus,
    rotation_id_of,
)
from apps.keys.store import PoolKeyTable
from tests import requirement
from tests.conftest import TESTS

BY_NAME = {
    "activate": lifecycle.activate,
    "suspend": lifecycle.suspend,
    "resume": lifecycle.resume,
    "queue_rotation": lambda key_id, **named: retirement.rotate(key_id, **named).key,
    "revoke": lambda key_id, **named: retirement.revoke(key_id, **named).key,
}


def rotation_of(key):
    return rotation.find(rotation_id_of(key.key_id))


def rewritten(key, **attributes):
    PoolKeyTable.of(replace(key, **attributes)).save()
    return services.find(key.key_id)


@requirement("C5")
@pytest.mark.parametrize(("name", "source"), list(product(BY_NAME, KeyState)), ids=str)
def test_a_service_makes_exactly_the_transitions_of_the_table(pool, name, source):
    key = rewritten(pool[0], state=source)
    targets = [move.target for move in TRANSITIONS if move.name == name and move.source is source]
    if targets:
        assert BY_NAME[name](key.key_id, reason="test", actor=TESTS).state is targets[0]
    else:
        with pytest.raises(IllegalTransition, match=f"is {source.label} and cannot be "):
            BY_NAME[name](key.key_id, reason="test", actor=TESTS)
        assert services.find(key.key_id) == key


@requirement("C5")
def test_the_documentation_shows_the_diagram_of_the_table(settings):
    written = (settings.BASE_DIR / diagram.PAGE).read_text(encoding="utf-8")
    assert written == diagram.page(), "run manage.py key_states --write"
    for source, targets in TARGETS.items():
        for target in targets:
            assert f"{source} --> {target}" in written


@requirement("C5")
def test_a_refusal_says_what_can_be_done_instead(pool):
    said = {
        KeyState.ACTIVE: "is active and cannot be destroyed. It can be suspended, rotated or revoked.",
        KeyState.SUSPENDED: "is suspended and cannot be destroyed. It can be resumed, rotated or revoked.",
        KeyState.ROTATION_QUEUED: "is rotating and cannot be destroyed. It can be expired or revoked.",
        KeyState.DESTROYED: "is destroyed and cannot be destroyed. This is permanent.",
    }
    for state, sentence in said.items():
        key = replace(pool[0], state=state)
        with pytest.raises(IllegalTransition) as refused:
            key.transition("destroy")
        assert refused.value.detail == f"{key.key_id} {sentence}"
    with pytest.raises(IllegalTransition, match=r"is revoked and cannot be rotated\. It can be destroyed\."):
        replace(pool[0], state=KeyState.REVOKED).transition("queue_rotation")


@requirement("C5")
def test_every_transition_has_its_word():
    assert {one.name for one in TRANSITIONS} == PARTICIPLES.keys()


@requirement("C5")
def test_every_state_has_its_row_and_its_colour():
    assert set(KeyState) == diagram.SP_800_57.keys() == admin.TONES.keys()


@requirement("C5")
def test_from_destruction_nothing_leads_back():
    assert not TARGETS[KeyState.DESTROYED]
    assert not [move for move in TRANSITIONS if move.target is KeyState.PRE_ACTIVE]


@requirement("C3", "C5")
def test_a_suspended_key_neither_seals_nor_opens_until_it_is_resumed(stock, pool):
    package = messages.encrypt(b"x", actor=TESTS)
    key_id = package.envelope.pool_key_id
    lifecycle.suspend(key_id, reason="looked into", actor=TESTS)
    assert key_id not in {services.pick().key_id for _ in range(40)}
    with pytest.raises(KeyUnusable, match="suspended"):
        seeds.seed_of(services.find(key_id))
    assert seeds.seed_of(services.find(key_id), rewrap=True)
    lifecycle.resume(key_id, reason="clean", actor=TESTS)
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"
    assert key_id in {services.pick().key_id for _ in range(60)}


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
def test_raising_the_minimum_version_takes_a_whole_generation_out_of_use(stock, pool, settings):
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 4
    package = messages.encrypt(b"x", actor=TESTS)
    retirement.raise_minimum(2, actor=TESTS)
    active = services.listed(limit=20, state=KeyState.ACTIVE).records
    assert {key.version for key in active} == {2}
    assert len(active) == 4
    old = services.find(package.envelope.pool_key_id)
    assert old.state is KeyState.ROTATION_QUEUED
    with pytest.raises(KeyUnusable, match="below the minimum"):
        seeds.seed_of(old)
    assert seeds.seed_of(old, rewrap=True), "its files can be moved"
    assert retirement.raise_minimum(2, actor=TESTS).minimum == 2, "again finishes what was left"
    for version in (1, 4):
        with pytest.raises(Invalid, match="the minimum is 2"):
            retirement.raise_minimum(version, actor=TESTS)


@requirement("C5")
def test_a_process_knows_a_raised_minimum_after_its_known_time(aws, monkeypatch):
    moment = [0.0]
    monkeypatch.setattr(policy._known, "_clock", lambda: moment[0])
    policy.forget()
    assert policy.known().minimum == 1
    known = dict(policy._known._items)
    policy.raise_minimum(2, actor=TESTS)
    policy._known._items.update(known)  # as another process has it
    moment[0] = policy.KNOWN_SECONDS - 0.1
    assert policy.known().minimum == 1
    moment[0] = policy.KNOWN_SECONDS
    assert policy.known().minimum == 2


@requirement("C6")
@pytest.mark.parametrize("move", [retirement.rotate, retirement.revoke])
def test_taking_a_key_out_of_use_opens_its_rotation(pool, move):
    move(pool[0].key_id, reason="test", actor=TESTS)
    found = rotation_of(pool[0])
    assert (found.status, found.reason, found.new_key_id) == (RotationStatus.OPEN, "test", None)
    assert [r.rotation_id for r in rotation.unfinished()] == [found.rotation_id]
    assert rotation.listed(limit=5).records == [found]


@requirement("C6")
@pytest.mark.parametrize("name", ["queue_rotation", "revoke"])
def test_no_key_is_taken_out_of_use_without_a_job_for_its_files(pool, name):
    with pytest.raises(ValueError, match="a job that moves their files"):
        transitions.commit(pool[0], name, reason="test", actor=TESTS)
    assert services.find(pool[0].key_id) == pool[0]
    assert rotation.unfinished() == []


@requirement("C6")
def test_revoking_a_key_in_rotation_keeps_its_one_rotation(pool):
    retirement.rotate(pool[0].key_id, reason="old", actor=TESTS)
    retirement.revoke(pool[0].key_id, reason="leaked", actor=TESTS)
    assert len(rotation.unfinished()) == 1


@requirement("C6")
def test_a_rotation_keeps_its_new_key_while_that_is_active(pool):
    retirement.rotate(pool[0].key_id, reason="old", actor=TESTS)
    first, chosen = rotation.target_of(rotation_of(pool[0]), actor=TESTS)
    again, same = rotation.target_of(rotation_of(pool[0]), actor=TESTS)
    assert chosen.key_id == same.key_id == first.new_key_id == again.new_key_id
    retirement.rotate(chosen.key_id, reason="old too", actor=TESTS)
    _, other = rotation.target_of(rotation_of(pool[0]), actor=TESTS)
    assert other.state is KeyState.ACTIVE


def scheduled(key):
    with transaction(TESTS) as tx:
        lifecycle.schedule_destruction(tx, key, after=lifecycle.destruction_end(), reason="retired")
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
def test_the_window_has_seven_to_thirty_days(settings, days, expected):
    settings.DESTRUCTION_WINDOW_DAYS = days
    left = lifecycle.destruction_end() - clock.now()
    assert timedelta(days=expected) - timedelta(seconds=5) < left <= timedelta(days=expected)
