"""Named pools for tenants and purposes: records, found by name or alias, chosen for what is sealed (C5)."""

from io import StringIO
from threading import Barrier

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.audit import services as audit
from apps.audit.records import Actor, ActorKind
from apps.common.errors import Forbidden, Invalid, Refused
from apps.custody import retirement, tasks
from apps.files import messages
from apps.files.uploads import client_side
from apps.keys import lifecycle, pools, services, transfer
from apps.keys.pool_records import DEFAULT_POOL, PoolEmpty, PoolNotFound, Purpose
from apps.keys.pools import PoolExists
from apps.keys.trail import PoolEvent
from qkdplatform.lambda_handler import handler
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.conftest import TESTS, forget_everything
from tests.faults import counted
from tests.keys.pools import pool_of
from tests.queues import at_once
from tests.tables import every
from tests.threads import together
from tests.uploads import record_of, registered

CHAT, PAYROLL = "chat", "payroll"
SOMEONE = Actor(ActorKind.USER, "someone", groups=frozenset({"group:hr"}))
ANOTHER = Actor(ActorKind.USER, "another")


@pytest.fixture
def two_pools(api, stock):
    """A pool that serves the API's client, and one for everybody's messages."""
    pool_of(PAYROLL, serves=(str(api.actor),), users=(str(api.actor), "group:hr"), target=3)
    pool_of(CHAT, purposes=("messages",), target=2)
    pools.point("messages", CHAT, reason="test", actor=TESTS)


def active(pool):
    return {key.key_id for key in every(services.keys_page) if key.pool == pool}


@requirement("C5")
def test_the_default_pool_is_there_after_the_first_start(aws):
    with pytest.raises(PoolNotFound):
        pools.known().find(DEFAULT_POOL)
    services.refill(actor=TESTS)
    assert list(pools.read().pools) == [DEFAULT_POOL]
    services.refill(actor=TESTS)
    made = [entry for entry in every(audit.entries_page) if entry.event == PoolEvent.MADE]
    assert [entry.detail["pool"] for entry in made] == [DEFAULT_POOL]
    assert services.active_count(pools.known().find(DEFAULT_POOL)) == 100


@requirement("C5")
def test_of_many_who_make_a_pool_at_once_one_does(aws):
    gate = Barrier(4)

    def make():
        gate.wait()
        pools.make(CHAT, actor=TESTS)

    ends = together(4, make)
    assert sorted(isinstance(end, PoolExists) for end in ends) == [False, True, True, True], ends


@requirement("C5")
def test_each_pool_is_filled_to_its_own_target(two_pools):
    assert (len(active(PAYROLL)), len(active(CHAT))) == (3, 2)
    assert services.refill(actor=TESTS) == 0
    for key_id in active(CHAT):
        retirement.revoke(key_id, reason="test", actor=TESTS, below_low_water=True)
    assert services.active_count(pools.known().find(CHAT)) > 0, "refilled at once"


@requirement("C5")
def test_a_pool_is_found_by_every_name_until_that_is_pointed_elsewhere(two_pools):
    pools.point("talk", CHAT, reason="test", actor=TESTS)
    assert pools.known().find("talk").name == CHAT
    pools.point("talk", PAYROLL, reason="test", actor=TESTS)
    forget_everything()
    assert pools.known().find("talk").name == PAYROLL
    assert pools.known().aliases_of(PAYROLL) == ["talk"]
    with pytest.raises(PoolNotFound, match="There are: chat, default, payroll"):
        pools.known().find("elsewhere")
    for name in ("talk", CHAT):
        with pytest.raises(PoolExists):
            pools.make(name, actor=TESTS)
    with pytest.raises(PoolExists):
        pools.point(CHAT, PAYROLL, reason="test", actor=TESTS)


@requirement("C5")
def test_all_pools_are_one_query_in_half_a_minute(two_pools, monkeypatch):
    moment = [0.0]
    monkeypatch.setattr(pools._known, "_clock", lambda: moment[0])
    pools.forget()
    with counted() as calls:
        for _ in range(9):
            pools.known()
            moment[0] += pools.KNOWN_SECONDS / 10
    assert calls == ["Query"]


@requirement("C5")
def test_whoever_names_no_pool_is_served_by_their_own_then_by_the_purpose_s(two_pools, api, other_api):
    def chosen(purpose, actor):
        return pools.select(purpose, owner=str(actor), actor=actor).name

    assert chosen(Purpose.MESSAGES, api.actor) == PAYROLL
    assert chosen(Purpose.MESSAGES, other_api.actor) == CHAT
    assert chosen(Purpose.FILES, other_api.actor) == DEFAULT_POOL


@requirement("C5")
def test_a_named_pool_is_used_by_who_may_and_for_its_purpose(two_pools):
    def named(name, actor, purpose=Purpose.MESSAGES):
        return pools.select(purpose, owner=str(actor), actor=actor, named=name).name

    assert named(PAYROLL, SOMEONE) == PAYROLL, "by its group"
    with pytest.raises(Forbidden, match="may not use the key pool payroll"):
        named(PAYROLL, ANOTHER)
    with pytest.raises(Invalid, match="chat is not for files"):
        named(CHAT, ANOTHER, Purpose.FILES)
    with pytest.raises(PoolNotFound):
        named("elsewhere", ANOTHER)


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
    named = messages.encrypt(b"x", actor=api.actor, pool=DEFAULT_POOL)
    assert named.envelope.pool_key_id in active(DEFAULT_POOL)
    target, _ = client_side.announce(name="local", actor=api.actor, pool=DEFAULT_POOL)
    assert target.file.pool_key_id in active(DEFAULT_POOL)


@requirement("C5", "C6")
def test_files_stay_in_their_pool_when_its_keys_are_rotated(two_pools, api, monkeypatch):
    monkeypatch.setattr("apps.custody.rotations.SETTLE_SECONDS", 0)
    monkeypatch.setattr(tasks.rewrap_files, "apply_async", at_once(tasks.rewrap_files))
    upload = registered(api)
    handler(upload.event, None)
    old = str(record_of(upload.file_id).pool_key_id)
    retirement.rotate(old, reason="test", actor=TESTS)
    new = record_of(upload.file_id).pool_key_id
    assert new != old
    assert new in active(PAYROLL)


@requirement("C2", "C5")
def test_a_hybrid_key_is_never_exchanged_for_one_of_ml_kem_alone(aws):
    (plain,) = services.create(1, suite=Suite.MLKEM768, actor=TESTS)
    with pytest.raises(PoolEmpty):
        services.pick()
    assert services.pick(suite=Suite.MLKEM768).key_id == plain.key_id


@requirement("C2", "C5")
def test_a_pool_has_keys_of_its_suite(stock):
    pool_of("plain", suite=Suite.MLKEM768, target=2)
    package = messages.encrypt(b"x", actor=TESTS, pool="plain")
    assert services.find(package.envelope.pool_key_id).suite is Suite.MLKEM768
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"


@requirement("C5")
def test_keys_of_every_pool_are_rotated_by_their_own_use(two_pools):
    pools.change(CHAT, max_uses=1, reason="test", actor=TESTS)
    package = messages.encrypt(b"x", actor=TESTS)
    assert package.envelope.pool_key_id in active(CHAT)
    assert retirement.rotate_due(actor=TESTS) == 1
    assert services.find(package.envelope.pool_key_id).state == "rotation_queued"


@requirement("C5")
def test_a_pool_is_managed_by_its_managers_only(two_pools):
    pools.change(PAYROLL, managers=("group:hr",), reason="test", actor=SOMEONE)
    (key_id, *_) = active(PAYROLL)
    seed = kem.generate_key_pair(Suite.XWING).seed
    for attempt in (
        lambda: pools.change(PAYROLL, target=9, reason="test", actor=ANOTHER),
        lambda: pools.point("mine", PAYROLL, reason="test", actor=ANOTHER),
        lambda: retirement.revoke(key_id, reason="test", actor=ANOTHER),
        lambda: lifecycle.suspend(key_id, reason="test", actor=ANOTHER),
        lambda: lifecycle.resume(key_id, reason="test", actor=ANOTHER),
        lambda: retirement.set_minimum(2, pool=PAYROLL, actor=ANOTHER),
        lambda: transfer.import_pair(seed, suite=Suite.XWING, reason="x", actor=ANOTHER, pool=PAYROLL),
    ):
        with pytest.raises(Forbidden, match="do not manage the key pool payroll"):
            attempt()
    with pytest.raises(Forbidden, match="You would no longer manage"):
        pools.change(PAYROLL, managers=(str(ANOTHER),), reason="test", actor=SOMEONE)
    assert pools.change(PAYROLL, target=9, reason="test", actor=SOMEONE).full == 9


@requirement("C5")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target": 0}, "target"),
        ({"target": 4, "low_water": 5}, "low_water"),
        ({"purposes": ()}, "purposes"),
        ({"purposes": ("music",)}, "purposes"),
        ({"users": ("alice",)}, "users"),
        ({"users": ("group:hr",)}, "users"),
        ({"serves": ("service:x",)}, "serves"),
        ({"labels": {"a": "x" * 200}}, "labels"),
        ({"minimum": 9}, "minimum"),
        ({"suite": Suite.MLKEM768}, "suite"),
    ],
    ids=str,
)
def test_a_value_that_is_not_allowed_is_refused_by_its_field(two_pools, changes, field):
    pools.change(PAYROLL, serves=("service:x",), reason="test", actor=TESTS)
    with pytest.raises(Invalid) as refused:
        pools.change(CHAT, reason="test", actor=TESTS, **changes)
    assert [error.field for error in refused.value.errors] == [field]


@requirement("C5")
@pytest.mark.parametrize("name", ["", "Chat", "a b", "-a", "x" * 33, "files", "messages"])
def test_a_pool_has_a_name_that_can_be_typed(aws, name):
    with pytest.raises(Invalid, match="name"):
        pools.make(name, actor=TESTS)


@requirement("C5", "I10")
def test_of_two_changes_at_once_the_second_is_refused(two_pools, monkeypatch):
    before = pools.read().find(CHAT)
    pools.change(CHAT, about="talk", reason="test", actor=TESTS)
    monkeypatch.setattr(pools, "read", lambda: pools.Known({CHAT: before}, {}))
    with pytest.raises(Refused, match="changed by someone else"):
        pools.change(CHAT, about="chat", reason="test", actor=TESTS)


@requirement("C5")
def test_the_command_makes_changes_and_lists_pools(aws):
    def said(*words):
        out = StringIO()
        call_command("pool", *words, stdout=out)
        return out.getvalue()

    assert "Pool chat has 2 keys" in said("make", CHAT, "--target", "2", "--purpose", "messages")
    assert "Pool chat is changed" in said("change", CHAT, "--label", "team=hr", "--reason", "test")
    assert "messages names pool chat" in said("alias", "messages", CHAT, "--reason", "test")
    assert "chat, messages: 2 of 2 keys active" in said("list")
    assert pools.read().find(CHAT).labels == {"team": "hr"}
    with pytest.raises(CommandError, match="There is no key pool"):
        said("change", "elsewhere", "--reason", "test")
