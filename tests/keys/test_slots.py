"""Uses are counted on slots that processes do not share, and nothing is sealed to a key once it left use (C5, I5)."""

import pytest

from apps.audit.services import transaction
from apps.audit.verification import Depth, verify
from apps.custody import retirement, rotations
from apps.files.trail import MessageEvent
from apps.keys import lifecycle, rotation, services, slots, store
from apps.keys.records import KeyUnusable, SlotState, rotation_id_of
from apps.keys.store import KeySlotTable, PoolKeyTable
from tests import requirement
from tests.conftest import TESTS
from tests.tables import rows, tamper


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch):
    monkeypatch.setattr("apps.jobs.kinds.send", lambda *_: None)


def use(key, **counted):
    with transaction(TESTS) as tx:
        services.count_use(tx, key, **counted)
        tx.audit(MessageEvent.ENCRYPTED, key_id=key.key_id)


def usage_written(key) -> str:
    (row,) = (row for row in rows(PoolKeyTable.Meta.table_name) if row["key_id"]["S"] == key.key_id)
    return str(row["usage"]["N"])


@requirement("C5")
def test_a_use_leaves_the_keys_row_alone_and_is_counted(pool):
    for _ in range(3):
        use(pool[0])
    use(pool[0], uses=5, message=True)
    assert usage_written(pool[0]) == "0"
    found = slots.counted(services.find(pool[0].key_id))
    assert (found.usage, found.messages) == (8, 5)
    slots.write_down(actor=TESTS)
    assert usage_written(pool[0]) == "8"
    assert slots.counted(services.find(pool[0].key_id)) == services.find(pool[0].key_id)


@requirement("C5", "I5")
@pytest.mark.parametrize("end", [retirement.rotate, retirement.revoke, lifecycle.suspend])
def test_nothing_is_sealed_to_a_key_once_it_left_use(pool, end):
    key = pool[0]
    use(key)
    end(key.key_id, reason="x", actor=TESTS, below_low_water=True)
    assert {slot.state for slot in store.slots(key.key_id)} == {SlotState.CLOSED}
    assert usage_written(key) == "1"
    for _ in range(2):  # by the slot that the process knows, and by one that it would open
        with pytest.raises(KeyUnusable):
            use(key)
        slots._known.clear()
    assert verify(Depth.RECORDS).row_problems == []


@requirement("C5")
def test_a_key_that_is_resumed_seals_again_from_the_same_slot(pool):
    key = pool[0]
    use(key)
    lifecycle.suspend(key.key_id, reason="x", actor=TESTS, below_low_water=True)
    resumed = lifecycle.resume(key.key_id, reason="x", actor=TESTS)
    use(resumed)
    assert [slot.uses for slot in store.slots(key.key_id)] == [2]


@requirement("I5")
def test_a_rotation_that_was_interrupted_closes_the_slots_before_it_ends(pool, monkeypatch):
    monkeypatch.setattr(rotations, "SETTLE_SECONDS", 0)
    key = pool[0]
    use(key)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(slots, "close", lambda *_, **__: 0)
        retirement.rotate(key.key_id, reason="x", actor=TESTS, below_low_water=True)
    found = rotation.find(rotation_id_of(key.key_id))
    use(key)  # by a process that held the slot
    assert rotations.advance(found, actor=TESTS) is rotations.Stage.SETTLING, (
        "what was sealed may not be listed yet"
    )
    with pytest.raises(KeyUnusable):
        use(key)
    assert rotations.advance(found, actor=TESTS) is rotations.Stage.DONE


@requirement("C3", "I10")
def test_a_slot_that_somebody_opens_again_counts_nothing(pool):
    key = pool[0]
    use(key)
    retirement.revoke(key.key_id, reason="x", actor=TESTS, below_low_water=True)
    (slot,) = store.slots(key.key_id)
    where = {"key_id": {"S": key.key_id}, "number": {"N": str(slot.number)}}
    tamper(KeySlotTable, where, state={"S": "open"})
    slots._known.clear()
    with pytest.raises(KeyUnusable):
        use(key)
    use(pool[1])
