"""The policy of the whole pool: a minimum version takes a generation out of use (C5)."""

import pytest

from apps.common.errors import Invalid
from apps.custody import retirement
from apps.files import messages
from apps.keys import policy, seeds, services
from apps.keys.records import KeyState, KeyUnusable
from tests import requirement
from tests.conftest import TESTS


@requirement("C5")
def test_raising_the_minimum_version_takes_a_whole_generation_out_of_use(stock, pool, settings):
    settings.POOL_TARGET = settings.POOL_LOW_WATER = 4
    package = messages.encrypt(b"x", actor=TESTS)
    retirement.raise_minimum(2, actor=TESTS)
    active = services.keys_page(limit=20, state=KeyState.ACTIVE).records
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
