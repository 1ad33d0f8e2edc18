"""What somebody who writes the tables, but has none of the platform's keys, tries on pool keys and rotations (I10)."""

from typing import Any

import pytest

from apps.common.authenticated import RecordForged
from apps.common.aws import client
from apps.common.dynamodb import Table
from apps.custody import retirement
from apps.files import messages
from apps.keys import rotation, seeds, services
from apps.keys.records import KeyState, PoolKey, rotation_id_of
from apps.keys.services import PoolEmpty
from apps.keys.store import PoolKeyTable, RotationTable
from qkdseal import kem
from tests import requirement
from tests.conftest import TESTS, forget_everything

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
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:qkdplatform:problem:record-forged")
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
    assert services.find(package.envelope.pool_key_id).usage == 8


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
