"""What somebody who writes the tables, but has none of the platform's keys, tries on pool keys and rotations (I10)."""

from typing import Any

import pytest

from apps.common.authenticated import RecordForged
from apps.common.aws import client
from apps.common.dynamodb import Table
from apps.common.errors import Refused
from apps.common.root_keys.interface import RootKeyUnavailable
from apps.custody import destruction, retirement
from apps.custody.destruction import KeyNeeded
from apps.custody.retirement import MessagesWait
from apps.files import messages
from apps.keys import lifecycle, pools, rotation, seeds, services, slots
from apps.keys.pool_records import DEFAULT_POOL, PoolEmpty
from apps.keys.records import KeyState, KeyUnusable, PoolKey, rotation_id_of
from apps.keys.services import BelowLowWater
from apps.keys.store import PoolKeyTable, PoolTable, RotationTable
from qkdseal import kem
from tests import requirement
from tests.conftest import TESTS, forget_everything
from tests.custody.people import ALICE, admit
from tests.keys.pools import imported

ATTACKER = kem.generate_key_pair(kem.DEFAULT_SUITE)


def overwrite(table: type[Table[Any]], key: dict[str, str], **attributes: Any) -> None:
    """Write attributes of a row as someone with write access to the table would; None removes one."""
    dynamodb, name = client("dynamodb"), table.Meta.table_name
    item = dynamodb.get_item(TableName=name, Key={part: {"S": text} for part, text in key.items()})["Item"]
    changed = {**item, **attributes}
    dynamodb.put_item(TableName=name, Item={n: value for n, value in changed.items() if value is not None})
    forget_everything()  # as another process finds it


def attack(key: PoolKey, **attributes: Any) -> None:
    overwrite(PoolKeyTable, {"key_id": key.key_id}, **attributes)


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


@requirement("C3", "I4", "I10")
def test_one_flipped_bit_in_a_public_key_loses_nothing(stock, pool):
    bad = pool[0]
    attack(bad, public_key={"B": flipped(bad.public_key)})
    assert {services.choose().key_id for _ in range(40)} == {key.key_id for key in pool[1:]}
    with pytest.raises(RecordForged, match=bad.key_id):
        services.find(bad.key_id)


@requirement("C3", "I10")
def test_nothing_is_sealed_to_an_attackers_public_key(api, stock, pool):
    for key in pool:
        attack(key, public_key={"B": ATTACKER.public_key})
    answer = api.post("encrypt", {"plaintext": "x"})
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "http://127.0.0.1:8000/api/problems/record-forged",
    )
    rows = client("dynamodb").scan(TableName=PoolKeyTable.Meta.table_name)["Items"]
    assert {row["usage"]["N"] for row in rows} == {"0"}


@requirement("C3", "I4", "I10")
def test_a_key_whose_halves_do_not_belong_together_is_passed_over(stock, pool, monkeypatch):
    """Written so by the platform itself, as a defect would."""
    (damaged,) = [key for key in pool if key.key_id == pool[0].key_id]
    check = kem.public_key_of
    monkeypatch.setattr(
        kem,
        "public_key_of",
        lambda seed, **named: b"" if check(seed, **named) == damaged.public_key else check(seed, **named),
    )
    assert {services.choose().key_id for _ in range(40)} == {key.key_id for key in pool[1:]}


@requirement("C5", "I10")
@pytest.mark.parametrize(
    "attributes",
    [
        {"state": {"S": "active"}},
        {"imported": {"BOOL": True}},
        {"pool": {"S": "elsewhere"}},
        {"version": {"N": "9"}},
        {"suite": {"S": kem.Suite.MLKEM768.value}},
        {"wrapped_seed": {"B": b"x"}},
        {"wrapped_seed": None},
        {"recovery_seal": {"B": b"x"}},
        {"root_key_id": {"S": "another"}},
        {"destroy_after": {"S": "2020-01-01T00:00:00.000000Z"}},
        {"reason": {"S": "nothing"}},
        {"tag": None},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_a_changed_pool_key_is_refused_by_name(pool, attributes):
    retirement.revoke(pool[0].key_id, reason="leaked", actor=TESTS)
    attack(pool[0], **attributes)
    for act in (services.find, lambda key_id: retirement.revoke(key_id, reason="x", actor=TESTS)):
        with pytest.raises(RecordForged, match=pool[0].key_id):
            act(pool[0].key_id)


@requirement("C3", "I10")
def test_what_a_changed_pool_key_sealed_is_not_opened_with_it(stock, pool):
    package = messages.encrypt(b"x", actor=TESTS)
    attack(services.find(package.envelope.pool_key_id), state={"S": "revoked"})
    with pytest.raises(RecordForged):
        messages.decrypt(package.to_dict(), actor=TESTS)
    assert not len(seeds._kept)


@requirement("C5", "I10")
def test_a_revoked_key_that_is_listed_as_active_is_not_picked(stock, pool):
    """Index keys carry no tag: the record says whether it belongs there."""
    feed = client("dynamodb").get_item(
        TableName=PoolKeyTable.Meta.table_name, Key={"key_id": {"S": pool[0].key_id}}
    )["Item"]["usage_feed"]
    for key in pool:
        retirement.revoke(key.key_id, reason="leaked", actor=TESTS)
        attack(key, usage_feed=feed)
    with pytest.raises(PoolEmpty):
        services.pick()


@requirement("C5", "I10")
def test_counters_are_no_secret_and_break_nothing(stock, pool):
    for key in pool:
        attack(key, usage={"N": "7"}, messages={"N": "3"})
    package = messages.encrypt(b"x", actor=TESTS)
    assert slots.counted(services.find(package.envelope.pool_key_id)).usage == 7


@requirement("C6", "I10")
@pytest.mark.parametrize(
    "attributes",
    [{"new_key_id": {"S": "pk-attacker"}}, {"status": {"S": "done"}}, {"job_id": {"S": "job-attacker"}}],
    ids=lambda attributes: next(iter(attributes)),
)
def test_a_changed_rotation_is_refused_by_name(pool, attributes):
    retirement.rotate(pool[0].key_id, reason="old", actor=TESTS)
    rotation_id = rotation_id_of(pool[0].key_id)
    overwrite(RotationTable, {"rotation_id": rotation_id}, **attributes)
    for act in (rotation.find, lambda found: retirement.start(found, actor=TESTS)):
        with pytest.raises(RecordForged, match=rotation_id):
            act(rotation_id)
    assert services.find(pool[0].key_id).state is KeyState.ROTATION_QUEUED


@requirement("C5", "I5", "I10")
def test_messages_are_counted_by_their_own_rows_and_not_by_the_key_s_counter(stock, pool):
    package = messages.encrypt(b"x", actor=TESTS)
    attack(services.find(package.envelope.pool_key_id), messages={"N": "0"}, usage={"N": "0"})
    with pytest.raises(MessagesWait):
        retirement.set_minimum(2, actor=TESTS)
    admit(ALICE)
    key_id = package.envelope.pool_key_id
    retirement.revoke(key_id, reason="leaked", actor=TESTS)
    with pytest.raises(KeyNeeded, match="1 messages are sealed to"):
        destruction.request(key_id, reason="leaked", actor=ALICE)


def attack_pool(**attributes: Any) -> None:
    overwrite(PoolTable, {"place": "all", "name": DEFAULT_POOL}, **attributes)


@requirement("C5", "I10")
@pytest.mark.parametrize(
    "attributes",
    [
        {"minimum": {"N": "0"}},
        {"current": {"N": "9"}},
        {"accepts_imports": {"BOOL": True}},
        {"managers": {"S": '["user:mallory"]'}},
        {"suite": {"S": kem.Suite.MLKEM768.value}},
        {"target": {"N": "1"}},
        {"alias_of": {"S": DEFAULT_POOL}},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_a_changed_pool_is_refused_by_name(stock, pool, attributes):
    package = messages.encrypt(b"x", actor=TESTS)
    attack_pool(**attributes)
    for act in (
        lambda: messages.encrypt(b"x", actor=TESTS),
        lambda: messages.decrypt(package.to_dict(), actor=TESTS),
        lambda: pools.change(DEFAULT_POOL, about="x", reason="x", actor=TESTS),
        lambda: services.refill(actor=TESTS),
    ):
        with pytest.raises(RecordForged, match=f"pools/all/{DEFAULT_POOL}"):
            act()


@requirement("C5", "I10")
def test_a_pool_that_was_removed_is_not_made_again_without_its_minimum(stock, pool):
    package = messages.encrypt(b"x", actor=TESTS)
    retirement.set_minimum(2, lose_messages=True, actor=TESTS)
    key = {"place": {"S": "all"}, "name": {"S": DEFAULT_POOL}}
    client("dynamodb").delete_item(TableName=PoolTable.Meta.table_name, Key=key)
    forget_everything()
    with pytest.raises(Refused, match="record of the default key pool is gone"):
        services.refill(actor=TESTS)
    with pytest.raises(KeyUnusable, match="has no record"):
        seeds.seed_of(services.find(package.envelope.pool_key_id))


@requirement("C5", "I10")
def test_an_alias_that_was_pointed_elsewhere_is_refused(stock, pool):
    pools.make("mallory", actor=TESTS)
    pools.point("messages", DEFAULT_POOL, reason="x", actor=TESTS)
    overwrite(PoolTable, {"place": "all", "name": "messages"}, alias_of={"S": "mallory"})
    with pytest.raises(RecordForged, match="pools/all/messages"):
        messages.encrypt(b"x", actor=TESTS)


@requirement("C5", "C13")
def test_who_imports_a_key_cannot_make_it_the_only_one(stock, pool, settings):
    """Import a seed one knows, activate it, take the others away: everything would be sealed to it."""
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 4
    pools.change(DEFAULT_POOL, accepts_imports=True, reason="moved here", actor=TESTS)
    mine = imported(ATTACKER.seed, pool=DEFAULT_POOL)
    with pytest.raises(
        TypeError
    ):  # nothing activates a key but an approval that is used in the same transaction
        lifecycle.activate(mine.key_id, reason="x", actor=ALICE)  # type: ignore[call-arg, arg-type]
    takers = {
        "rotate": lambda key_id, **sure: retirement.rotate(key_id, reason="x", actor=ALICE, **sure),
        "revoke": lambda key_id, **sure: retirement.revoke(key_id, reason="x", actor=ALICE, **sure),
        "suspend": lambda key_id, **sure: lifecycle.suspend(key_id, reason="x", actor=ALICE, **sure),
    }
    for (name, take), key in zip(takers.items(), pool, strict=False):
        with pytest.raises(BelowLowWater, match="fewer than its low-water mark 4"):
            take(key.key_id)
        assert services.find(key.key_id).state is KeyState.ACTIVE, name
        take(key.key_id, below_low_water=True)
        assert services.find(key.key_id).state is not KeyState.ACTIVE, name
        assert services.counts()[KeyState.ACTIVE] == 4, f"{name}: refilled at once"
    assert services.find(mine.key_id).state is KeyState.PRE_ACTIVE


@requirement("C5", "I4")
def test_a_leaked_key_is_revoked_also_where_no_other_can_be_made(pool, settings, monkeypatch):
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 4

    def unavailable(*_: Any, **__: Any) -> None:
        raise RootKeyUnavailable("no answer")

    monkeypatch.setattr("apps.keys.wrapped_secrets.wrap", unavailable)
    retirement.revoke(pool[0].key_id, reason="leaked", actor=TESTS, below_low_water=True)
    assert services.find(pool[0].key_id).state is KeyState.REVOKED
