"""States after SP 800-57: one table, drawn; anything else is refused, and says what can be done (C5)."""

from dataclasses import replace
from itertools import product

import pytest

from apps.audit.services import transaction
from apps.custody import retirement
from apps.keys import diagram, display, lifecycle, pools, rotation, services, transitions
from apps.keys.pool_records import DEFAULT_POOL
from apps.keys.records import PARTICIPLES, TARGETS, TRANSITIONS, IllegalTransition, KeyState
from tests import requirement
from tests.conftest import TESTS
from tests.keys.rewriting import rewritten

ALLOWED = {
    ("pre_active", "active"), ("pre_active", "revoked"), ("pre_active", "destroyed"),
    ("active", "suspended"), ("active", "rotation_queued"), ("active", "revoked"),
    ("suspended", "active"), ("suspended", "rotation_queued"), ("suspended", "revoked"),
    ("rotation_queued", "expired"), ("rotation_queued", "revoked"),
    ("expired", "revoked"), ("expired", "destroyed"), ("revoked", "destroyed"),
}  # fmt: skip


def put_to_use(key_id, *, reason, actor):
    """As ``apps.custody.activation`` does with a second person's approval."""
    pools.change(DEFAULT_POOL, accepts_imports=True, reason="moved here", actor=actor)
    with transaction(actor) as tx:
        lifecycle.activate(tx, services.find(key_id), reason=reason)
    return services.find(key_id)


BY_NAME = {
    "activate": put_to_use,
    "suspend": lifecycle.suspend,
    "resume": lifecycle.resume,
    "queue_rotation": lambda key_id, **named: retirement.rotate(key_id, **named).key,
    "revoke": lambda key_id, **named: retirement.revoke(key_id, **named).key,
}


@requirement("C5")
def test_the_table_of_transitions_is_what_was_decided():
    assert {(move.source.value, move.target.value) for move in TRANSITIONS} == ALLOWED


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
@pytest.mark.parametrize("move", [retirement.rotate, retirement.revoke])
def test_a_transition_happens_once(pool, move):
    moved = move(pool[0].key_id, reason="test", actor=TESTS).key
    assert (moved.reason, moved.changed_at is not None) == ("test", True)
    with pytest.raises(IllegalTransition):
        move(pool[0].key_id, reason="again", actor=TESTS)


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
    assert set(KeyState) == diagram.SP_800_57.keys() == display.TONES.keys()


@requirement("C5")
def test_from_destruction_nothing_leads_back():
    assert not TARGETS[KeyState.DESTROYED]
    assert not [move for move in TRANSITIONS if move.target is KeyState.PRE_ACTIVE]


@requirement("C6")
@pytest.mark.parametrize("name", ["queue_rotation", "revoke"])
def test_no_key_is_taken_out_of_use_without_a_job_for_its_files(pool, name):
    with pytest.raises(ValueError, match="a job that moves their files"):
        transitions.commit(pool[0], name, reason="test", actor=TESTS)
    assert services.find(pool[0].key_id) == pool[0]
    assert rotation.open_rotations() == []
