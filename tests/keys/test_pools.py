"""Pools of their own for tenants and purposes (C5)."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from apps.common.errors import Invalid
from apps.custody import retirement, tasks
from apps.files import messages
from apps.keys import lifecycle, pools, rotation, services, transfer
from apps.keys.records import DEFAULT_POOL, Purpose, rotation_id_of
from apps.keys.services import PoolEmpty
from qkdplatform.lambda_handler import handler
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.conftest import TESTS
from tests.tables import every
from tests.uploads import record_of, registered

CHAT, PAYROLL = "chat", "payroll"


@pytest.fixture
def two_pools(settings, api, stock):
    """A pool of the API's client, and one for messages."""
    settings.KEY_POOLS = {
        PAYROLL: {"owners": [str(api.actor)], "target": 3},
        CHAT: {"purposes": ["messages"], "target": 2},
    }
    services.refill(actor=TESTS)


def active(pool):
    return {key.key_id for key in every(services.keys_page) if key.pool == pool}


@requirement("C5")
def test_each_pool_is_filled_to_its_own_target(two_pools):
    assert (len(active(PAYROLL)), len(active(CHAT))) == (3, 2)
    assert services.refill(actor=TESTS) == 0
    retirement.revoke(min(active(CHAT)), reason="test", actor=TESTS)
    assert services.refill(actor=TESTS) == 1


@requirement("C5")
def test_an_owners_pool_goes_before_a_purposes(two_pools, api, other_api):
    assert pools.pool_for(str(api.actor), Purpose.MESSAGES) == PAYROLL
    assert pools.pool_for(str(other_api.actor), Purpose.MESSAGES) == CHAT
    assert pools.pool_for(str(other_api.actor), Purpose.FILES) == DEFAULT_POOL


@requirement("C5")
def test_files_and_messages_are_sealed_to_keys_of_their_pool(two_pools, api, other_api):
    upload = registered(api)
    handler(upload.event, None)
    assert record_of(upload.file_id).pool_key_id in active(PAYROLL)
    foreign = registered(other_api)
    handler(foreign.event, None)
    assert record_of(foreign.file_id).pool_key_id in active(DEFAULT_POOL)
    assert messages.encrypt(b"x", actor=other_api.actor).envelope.pool_key_id in active(CHAT)
    announced = api.post("local-files", {"name": "local"}).json()["upload"]["file"]
    assert announced["pool_key_id"] in active(PAYROLL)


@requirement("C5", "C6")
def test_files_stay_in_their_pool_when_its_keys_are_rotated(two_pools, api, monkeypatch):
    monkeypatch.setattr("apps.custody.rotations.SETTLE_SECONDS", 0)
    monkeypatch.setattr(tasks.rewrap_files, "delay", tasks.rewrap_files)
    upload = registered(api)
    handler(upload.event, None)
    old = str(record_of(upload.file_id).pool_key_id)
    retirement.rotate(old, reason="test", actor=TESTS)
    new = record_of(upload.file_id).pool_key_id
    assert new != old
    assert new in active(PAYROLL)


@requirement("C5", "C6")
def test_what_a_removed_pool_sealed_goes_on_to_the_default_one(two_pools, settings, pool):
    old = min(active(PAYROLL))
    settings.KEY_POOLS = {}
    retirement.rotate(old, reason="test", actor=TESTS)
    _, chosen = rotation.target_of(rotation.find(rotation_id_of(old)), actor=TESTS)
    assert chosen.pool == DEFAULT_POOL


@requirement("C2", "C5")
def test_a_hybrid_key_is_never_exchanged_for_one_of_ml_kem_alone(aws):
    (plain,) = services.create(1, suite=Suite.MLKEM768, actor=TESTS)
    with pytest.raises(PoolEmpty):
        services.pick()
    assert services.pick(suite=Suite.MLKEM768).key_id == plain.key_id


@requirement("C5")
def test_keys_of_every_pool_are_rotated_by_use(two_pools, settings):
    settings.POOL_MAX_USES = 1
    package = messages.encrypt(b"x", actor=TESTS)
    assert package.envelope.pool_key_id in active(CHAT)
    assert retirement.rotate_due(actor=TESTS) == 1
    assert services.find(package.envelope.pool_key_id).state == "rotation_queued"


@requirement("C5")
def test_a_key_is_imported_into_a_pool_that_there_is(two_pools):
    pair = kem.generate_key_pair(Suite.XWING)
    with pytest.raises(Invalid, match="pool"):
        transfer.import_pair(pair.seed, suite=pair.suite, reason="x", actor=TESTS, pool="elsewhere")
    key = transfer.import_pair(pair.seed, suite=pair.suite, reason="x", actor=TESTS, pool=CHAT)
    lifecycle.activate(key.key_id, reason="x", actor=TESTS)
    assert key.key_id in {services.pick(CHAT).key_id for _ in range(60)}
    assert key.key_id not in {services.pick().key_id for _ in range(60)}


@requirement("C5")
@pytest.mark.parametrize(
    "described",
    [
        {"default": {}}, {"Über": {}}, {"a": []}, {"a": {"owner": []}}, {"a": {"target": 0}},
        {"a": {"target": "3"}}, {"a": {"owners": ["somebody"]}}, {"a": {"owners": [3]}},
        {"a": {"purposes": ["lunch"]}}, {"a": {"purposes": ["files"]}, "b": {"purposes": ["files"]}},
        {"a": {"owners": ["client:1"]}, "b": {"owners": ["client:1"]}},
    ],
)  # fmt: skip
def test_a_pool_that_is_not_understood_fails_the_check(settings, described):
    settings.KEY_POOLS = described
    with pytest.raises(ImproperlyConfigured, match="KEY_POOLS"):
        pools.known()
    with pytest.raises(SystemCheckError, match=r"keys\.E001"):
        call_command("check")
