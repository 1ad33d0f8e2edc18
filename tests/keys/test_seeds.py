"""Seeds: kept wrapped, opened for whoever may use them, refused when damaged (C3, C10)."""

import pytest

from apps.common.root_keys.configured import root_key
from apps.custody import retirement
from apps.files import messages
from apps.keys import lifecycle, seeds, services
from apps.keys.records import KeyState, KeyUnusable
from apps.keys.store import PoolKeyTable
from qkdseal import kem
from tests import requirement
from tests.conftest import TESTS
from tests.faults import counted
from tests.keys.rewriting import rewritten
from tests.tables import rows


@requirement("C2", "C10")
@pytest.mark.parametrize("suite", kem.Suite)
def test_only_the_wrapped_seed_is_kept(aws, suite):
    (key,) = services.create(1, actor=TESTS, suite=suite)
    seed = seeds.seed_of(key)
    assert len(seed) == suite.seed_size
    assert kem.public_key_of(seed, suite=suite) == key.public_key
    assert repr(seed)[2:-1] not in str(rows(PoolKeyTable.Meta.table_name))
    assert "wrapped_seed" not in repr(key)


@requirement("C5")
@pytest.mark.parametrize("move", [retirement.rotate, retirement.revoke])
def test_what_a_rotated_or_revoked_key_sealed_still_opens(stock, pool, move):
    package = messages.encrypt(b"still here", actor=TESTS)
    move(package.envelope.pool_key_id, reason="test", actor=TESTS)
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"still here"


@requirement("C3", "C5")
def test_a_suspended_key_neither_seals_nor_opens_until_it_is_resumed(stock, pool):
    package = messages.encrypt(b"x", actor=TESTS)
    key_id = package.envelope.pool_key_id
    lifecycle.suspend(key_id, reason="looked into", actor=TESTS)
    assert key_id not in {services.choose().key_id for _ in range(40)}
    with pytest.raises(KeyUnusable, match="suspended"):
        seeds.seed_of(services.find(key_id))
    assert seeds.seed_of(services.find(key_id), rewrap=True)
    lifecycle.resume(key_id, reason="clean", actor=TESTS)
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"
    assert key_id in {services.choose().key_id for _ in range(60)}


@requirement("C3")
def test_a_destroyed_key_opens_nothing(pool):
    destroyed = rewritten(pool[0], state=KeyState.DESTROYED)
    with pytest.raises(KeyUnusable):
        seeds.seed_of(destroyed)


@requirement("C5", "I2")
def test_revoking_a_key_forgets_its_seed(pool):
    seeds.seed_of(pool[0])
    assert len(seeds._kept) == 1
    retirement.revoke(pool[0].key_id, reason="leaked", actor=TESTS)
    assert len(seeds._kept) == 0


@requirement("C10")
def test_a_seed_is_unwrapped_once_in_a_while_only(pool):
    seeds.seed_of(pool[0])
    with counted() as calls:
        seeds.seed_of(pool[0])
    assert calls == []


@requirement("C3", "C10")
def test_seeds_swapped_between_two_records_are_refused(pool):
    one, two = pool[:2]
    swapped = [rewritten(one, wrapped_seed=two.wrapped_seed), rewritten(two, wrapped_seed=one.wrapped_seed)]
    for key in swapped:
        with pytest.raises(KeyUnusable, match="does not unwrap"):
            seeds.seed_of(key)


@requirement("C3", "C10")
def test_a_public_key_exchanged_for_another_is_refused(pool):
    exchanged = rewritten(pool[0], public_key=pool[1].public_key)
    with pytest.raises(KeyUnusable, match="do not belong together"):
        seeds.seed_of(exchanged)


@requirement("C3", "C10")
@pytest.mark.parametrize(
    "damage", [lambda blob: blob[:-1], lambda blob: blob[:20], lambda _: b"x", lambda b: b + b"x"]
)
def test_a_damaged_seed_is_refused(pool, damage):
    damaged = rewritten(pool[0], wrapped_seed=damage(pool[0].wrapped_seed))
    with pytest.raises(KeyUnusable):
        seeds.seed_of(damaged)


@requirement("C3")
def test_a_seed_of_another_length_is_refused(pool):
    short = root_key().wrap(b"short", context=seeds.KIND.context_of(pool[0].key_id))
    with pytest.raises(KeyUnusable):
        seeds.seed_of(rewritten(pool[0], wrapped_seed=short))
