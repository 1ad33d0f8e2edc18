"""A pool's minimum version takes a generation of its keys out of use, and says what that costs (C5)."""

import pytest

from apps.common.errors import Invalid
from apps.custody import retirement, tasks
from apps.files import messages
from apps.keys import policy, pools, seeds, services
from apps.keys.pool_records import DEFAULT_POOL
from apps.keys.records import KeyState, KeyUnusable
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import rows_under
from tests.keys.pools import pool_of
from tests.queues import into
from tests.tables import every


@pytest.fixture
def package(stock, pool, settings):
    """A message under a key of the first version, in a small pool."""
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 4
    return messages.encrypt(b"x", actor=TESTS)


@requirement("C5")
def test_raising_the_minimum_takes_a_whole_generation_out_of_use(package):
    after = retirement.set_minimum(2, lose_messages=True, actor=TESTS)
    active = services.keys_page(limit=20, state=KeyState.ACTIVE).records
    assert {key.version for key in active} == {2}
    assert len(active) == 4
    old = services.find(package.envelope.pool_key_id)
    assert old.state is KeyState.ROTATION_QUEUED
    with pytest.raises(KeyUnusable, match="below the minimum"):
        seeds.seed_of(old)
    assert seeds.seed_of(old, rewrap=True), "its files can be moved"
    assert after == retirement.set_minimum(2, actor=TESTS), "again finishes what was left"
    for version in (0, 4):
        with pytest.raises(Invalid, match="the minimum is 2"):
            retirement.set_minimum(version, actor=TESTS)


@requirement("C5", "I5")
def test_messages_are_not_lost_unless_that_is_confirmed(package, admin_api):
    answer = admin_api.post("pool/policy", {"minimum": 2})
    assert answer.status_code == 409
    assert answer.json()["type"] == "http://127.0.0.1:8000/api/problems/messages-wait"
    assert "1 messages and 0 files" in answer.json()["detail"]
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x", "nothing was changed"
    raised = admin_api.post("pool/policy", {"minimum": 2, "lose_messages": True}).json()
    assert raised == {"pool": DEFAULT_POOL, "current": 2, "minimum": 2, "files": 0, "messages": 1}
    assert raised == admin_api.get("pool/policy").json()


@requirement("C5")
def test_a_minimum_can_be_lowered_and_messages_open_again(package):
    retirement.set_minimum(2, lose_messages=True, actor=TESTS)
    lowered = retirement.set_minimum(1, actor=TESTS)
    assert (lowered.pool.minimum, lowered.pool.current) == (1, 2)
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"
    assert services.find(package.envelope.pool_key_id).state is KeyState.ROTATION_QUEUED, "it seals no more"


@requirement("C5", "C6")
def test_raising_the_minimum_says_how_many_files_wait_and_rewraps_them_at_once(package, pool, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr("apps.custody.rotations.SETTLE_SECONDS", 0)
    monkeypatch.setattr(tasks.rewrap_files, "apply_async", into(sent))
    rows_under(pool[0], 3)
    after = retirement.set_minimum(2, lose_messages=True, actor=TESTS)
    assert (after.files, after.messages) == (3, 1)
    assert len(sent) == 4, "a job for each key"
    for job_id in sent:
        tasks.rewrap_files(job_id)
    assert retirement.minimum_of(DEFAULT_POOL).files == 0


@requirement("C5")
def test_a_pool_is_never_empty_while_a_generation_is_replaced(package, monkeypatch):
    left: list[int] = []
    rotate = retirement.rotate

    def watched(key_id, **named):
        done = rotate(key_id, **named)
        left.append(services.counts()[KeyState.ACTIVE])
        return done

    monkeypatch.setattr(retirement, "rotate", watched)
    retirement.set_minimum(2, lose_messages=True, actor=TESTS)
    assert min(left) == 4, left


@requirement("C5")
def test_another_pool_s_keys_are_left_alone(package):
    pool_of("other", target=2)
    retirement.set_minimum(2, pool="other", actor=TESTS)
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"
    versions = {(key.pool, key.version, key.state) for key in every(services.keys_page)}
    assert ("default", 1, KeyState.ACTIVE) in versions
    assert ("other", 1, KeyState.ACTIVE) not in versions


@requirement("C5")
def test_a_process_knows_a_raised_minimum_after_its_known_time(pool, monkeypatch):
    moment = [0.0]
    monkeypatch.setattr(pools._known, "_clock", lambda: moment[0])
    pools.forget()
    before = pools.known().find(DEFAULT_POOL)
    known = dict(pools._known._items)
    policy.raise_minimum(before, 2, actor=TESTS)
    pools._known._items.update(known)  # as another process has it
    moment[0] = pools.KNOWN_SECONDS - 0.1
    assert pools.known().find(DEFAULT_POOL).minimum == 1
    moment[0] = pools.KNOWN_SECONDS
    assert pools.known().find(DEFAULT_POOL).minimum == 2
