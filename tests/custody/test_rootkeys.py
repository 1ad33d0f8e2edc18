"""Root keys replaced: everything moves, whatever fails; the old one unwraps until then (C10, I2, I4)."""

import io
from datetime import timedelta
from itertools import count

import pytest
from django.core.management import CommandError, call_command

from apps.audit import services as audit
from apps.audit import verification
from apps.common import clock
from apps.common.aws import client
from apps.common.errors import Refused
from apps.common.root_keys.configured import root_key
from apps.common.root_keys.interface import RootKeyUnavailable, UnwrapFailed
from apps.common.root_keys.local import LocalRootKey
from apps.common.root_keys.ring import RootKeyRing
from apps.custody import rootkeys
from apps.keys import canaries, seeds, wrapped_secrets
from apps.keys import services as keys
from apps.keys.records import KeyUnusable
from apps.keys.trail import SecretEvent
from apps.sessions import finals
from apps.sessions import services as sessions
from apps.sessions.records import SessionUnusable
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import encrypted, plaintext_of
from tests.custody.processes import process_starts
from tests.faults import TELLING
from tests.finals import final_key

CONTEXT = {"record": "test", "id": "1"}


@pytest.fixture
def own_stock(own_root, request):
    return request.getfixturevalue("stock")


def local():
    root = rootkeys._local()
    assert root is not None
    return root


def run(action):
    out = io.StringIO()
    call_command("root_key", action, stdout=out)
    return out.getvalue()


@requirement("C10", "C12")
def test_everything_moves_to_a_new_local_root_key_and_files_stay_readable(own_stock, pool, monkeypatch):
    file = encrypted(b"content", under=pool[0], monkeypatch=monkeypatch)
    old = root_key().id
    assert "5 secrets" in run("rotate")
    process_starts()
    new = root_key().id
    assert new != old
    held = {h.root_key_id: (h.current, h.pool_keys, h.sessions) for h in rootkeys.status()}
    assert held == {new: (True, 4, 1), old: (False, 0, 0)}
    assert {keys.find(key.key_id).root_key_id for key in pool} == {new}
    assert plaintext_of(file) == b"content"
    moved = [e for e in audit.entries_page(limit=50).records if e.event == SecretEvent.REWRAPPED]
    assert {e.key_id or e.session_id for e in moved} == {key.key_id for key in pool} | {own_stock.session_id}
    assert verification.verify().problems == []


@requirement("C10")
def test_an_old_root_key_is_retired_only_when_nothing_is_under_it(own_stock, pool, monkeypatch):
    local().add()
    with pytest.raises(Refused, match="4 pool keys and 1 sessions"):
        rootkeys.retire(actor=TESTS)
    rootkeys.rotate(actor=TESTS)
    with pytest.raises(Refused, match="less than 60 s"):
        rootkeys.retire(actor=TESTS)
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert len(rootkeys.retire(actor=TESTS)) == 1
    process_starts()
    assert root_key().old_ids == ()
    assert seeds.seed_of(keys.find(pool[0].key_id))
    assert "any older" in run("retire")


@requirement("C10", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_no_failed_call_of_a_root_key_rotation_loses_a_secret(own_root, aws, fault, each_call):
    before = {key.key_id: seeds.seed_of(key) for key in keys.create(1, actor=TESTS)}
    session_id = sessions.generate(sessions.GenerateRequest(), actor=TESTS).session_id
    final = finals.unwrap(final_key(session_id))
    rootkeys.rotate(actor=TESTS)

    def prepare():
        local().add()

    for call, _ in each_call("replace the root key", fault, prepare, lambda _: rootkeys.rotate(actor=TESTS)):
        process_starts()
        assert {key_id: seeds.unwrap(keys.find(key_id)) for key_id in before} == before, call
        assert finals.unwrap(final_key(session_id)) == final, call
        rootkeys.rotate(actor=TESTS)
        assert (rootkeys.status()[0].pool_keys, rootkeys.status()[0].sessions) == (1, 1), call
        assert sum(h.pool_keys + h.sessions for h in rootkeys.status()[1:]) == 0, call
        canaries.retire(root_key().old_ids, actor=TESTS)
        local().retire()
        process_starts()
    assert verification.verify().problems == []


@requirement("C10")
def test_another_process_sees_a_new_root_key_at_once(own_root):
    one, other = LocalRootKey(own_root), LocalRootKey(own_root)
    before = other.wrap(b"old", context=CONTEXT)
    made = one.add()
    assert other.unwrap(one.wrap(b"new", context=CONTEXT), context=CONTEXT) == b"new"
    assert other.id == made
    assert one.unwrap(before, context=CONTEXT) == b"old"
    one.retire()
    with pytest.raises(UnwrapFailed):
        one.unwrap(before, context=CONTEXT)


@requirement("C10", "I4")
def test_nothing_is_wrapped_once_the_key_file_is_gone(own_root):
    root = LocalRootKey(own_root)
    own_root.unlink()
    with pytest.raises(RootKeyUnavailable, match="is gone"):
        root.wrap(b"x", context=CONTEXT)


@requirement("C10")
def test_a_rotated_key_file_is_private_and_bounded(own_root):
    root = LocalRootKey(own_root)
    with pytest.raises(RootKeyUnavailable, match="too many"):
        for _ in range(60):
            root.add()
    assert own_root.stat().st_mode & 0o777 == 0o600
    assert len(LocalRootKey(own_root).old_ids) > 10
    assert [path.name for path in own_root.parent.iterdir()] == ["root.key"]


@pytest.fixture
def kms(aws, settings):
    """Two KMS keys behind an alias; everything is wrapped under the first."""
    made = [client("kms").create_key()["KeyMetadata"] for _ in range(2)]
    client("kms").create_alias(AliasName="alias/qkd", TargetKeyId=made[0]["KeyId"])
    settings.ROOT_KEY = "kms:alias/qkd"
    process_starts()
    yield [key["Arn"] for key in made]
    process_starts()


@requirement("C10", "C12")
def test_a_kms_key_is_replaced_by_another(kms, settings):
    (key,) = keys.create(1, actor=TESTS)
    seed = seeds.seed_of(key)
    assert key.root_key_id == f"kms:{kms[0]}", (
        "an alias can be pointed elsewhere, so the record names the key"
    )
    with pytest.raises(CommandError, match="ROOT_KEY_PREVIOUS"):
        run("rotate")
    client("kms").update_alias(AliasName="alias/qkd", TargetKeyId=kms[1])
    settings.ROOT_KEY_PREVIOUS = [f"kms:{kms[0]}"]
    process_starts()
    assert seeds.seed_of(keys.find(key.key_id)) == seed, "still opens"
    assert "1 secrets" in run("rotate")
    settings.ROOT_KEY_PREVIOUS = []
    process_starts()
    assert keys.find(key.key_id).root_key_id == f"kms:{kms[1]}"
    assert seeds.seed_of(keys.find(key.key_id)) == seed


@requirement("C10")
def test_what_a_root_key_out_of_reach_wrapped_is_not_called_damaged(tmp_path):
    class OutOfReach(LocalRootKey):
        def unwrap(self, *_, **__):
            raise RootKeyUnavailable

    current, previous = LocalRootKey(tmp_path / "a"), LocalRootKey(tmp_path / "b")
    blob = previous.wrap(b"x", context=CONTEXT)
    assert RootKeyRing(current, [previous]).unwrap(blob, context=CONTEXT) == b"x"
    with pytest.raises(RootKeyUnavailable):
        RootKeyRing(current, [OutOfReach(tmp_path / "b")]).unwrap(blob, context=CONTEXT)
    with pytest.raises(UnwrapFailed):
        RootKeyRing(current, [LocalRootKey(tmp_path / "c")]).unwrap(blob, context=CONTEXT)


@requirement("C10")
def test_a_wrapped_secret_opens_for_its_own_record_only(own_stock, pool):
    blob = pool[0].wrapped_seed
    assert blob is not None
    for context in (
        {"record": "pool_key", "id": pool[1].key_id},
        {"record": "session", "id": pool[0].key_id},
    ):
        with pytest.raises(UnwrapFailed):
            root_key().unwrap(blob, context=context)


@requirement("C10")
def test_a_foreign_secret_is_never_put_into_a_record(own_stock, pool):
    foreign = seeds.seed_of(pool[1])
    with pytest.raises(KeyUnusable):
        wrapped_secrets.rewrap(seeds.secret_of(pool[0]), foreign, event=SecretEvent.RECOVERED, actor=TESTS)
    with pytest.raises(KeyUnusable):
        wrapped_secrets.rewrap(
            seeds.secret_of(pool[0]), foreign[:-1], event=SecretEvent.RECOVERED, actor=TESTS
        )
    found = final_key(own_stock.session_id)
    with pytest.raises(SessionUnusable):
        wrapped_secrets.rewrap(finals.secret_of(found), b"short", event=SecretEvent.RECOVERED, actor=TESTS)


@requirement("C10", "I2")
@pytest.mark.parametrize("cache", [seeds._kept, finals._kept], ids=["seeds", "finals"])
def test_an_unwrapped_secret_leaves_memory_after_a_minute(cache, monkeypatch):
    moment = [0.0]
    monkeypatch.setattr(cache, "_clock", lambda: moment[0])
    asked = count()
    found = []
    for time in (0.0, 59.9, 60.0):
        moment[0] = time
        found.append(cache.get("lag", lambda: b"%d" % next(asked)))
    assert found == [b"0", b"0", b"1"], "unwrapped again at 60 s, and so at the latest refused"
    assert cache._max_items <= 256
