"""Key pairs from outside and to outside: by seed, and sealed to who may have it (C5, I2)."""

import os

import pytest

from apps.audit import services as audit
from apps.common.errors import Invalid, Refused
from apps.custody import activation, approvals, exporting
from apps.custody.records import NotApproved, SamePerson
from apps.files import messages
from apps.keys import pools, seeds, services, transfer
from apps.keys.pool_records import DEFAULT_POOL
from apps.keys.records import IllegalTransition, KeyState, KeyUnusable
from apps.keys.trail import PoolKeyEvent
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.conftest import TESTS
from tests.custody.people import ALICE, BOB
from tests.faults import Fault
from tests.keys.pools import OUTSIDE, activated, imported
from tests.tables import everything

pytestmark = pytest.mark.django_db
SEALING = [suite for suite in Suite if suite.seals]


@requirement("C2", "C5")
@pytest.mark.parametrize("suite", SEALING)
def test_a_pair_is_imported_by_its_seed_and_used_once_activated(stock, four_eyes, suite, monkeypatch):
    pair = kem.generate_key_pair(suite)
    key = imported(pair.seed, suite=suite)
    assert (key.state, key.public_key, key.imported) == (KeyState.PRE_ACTIVE, pair.public_key, True)
    with pytest.raises(KeyUnusable):
        seeds.seed_of(key)
    assert activated(key).state is KeyState.ACTIVE
    monkeypatch.setattr(services, "pick", lambda _pool: services.find(key.key_id))
    package = messages.encrypt(b"x", actor=TESTS)
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"


@requirement("C5", "C13")
def test_nobody_activates_alone_what_they_imported(four_eyes):
    """Whoever imports a key knows its seed: sealed to it alone, everything would be theirs to read."""
    key = imported(os.urandom(32))
    asked = activation.request(key.key_id, reason="in use", actor=ALICE)
    with pytest.raises(NotApproved):
        activation.activate(asked.approval_id, actor=ALICE)
    with pytest.raises(SamePerson):
        approvals.approve(asked.approval_id, actor=ALICE)
    assert services.find(key.key_id).state is KeyState.PRE_ACTIVE
    approvals.approve(asked.approval_id, actor=BOB)
    activation.activate(asked.approval_id, actor=ALICE)
    with pytest.raises(NotApproved, match="is used"):
        activation.activate(asked.approval_id, actor=ALICE)
    with pytest.raises(IllegalTransition, match="is active and cannot be activated"):
        activation.request(key.key_id, reason="again", actor=ALICE)


@requirement("C5", "C13")
def test_an_approval_activates_the_key_that_it_names(four_eyes):
    one, other = imported(os.urandom(32)), imported(os.urandom(32))
    asked = exporting.request(
        one.key_id,
        recipient=kem.generate_key_pair(Suite.XWING).public_key,
        suite=Suite.XWING,
        reason="moves",
        actor=ALICE,
    )
    approvals.approve(asked.approval_id, actor=BOB)
    with pytest.raises(NotApproved, match="and nothing else"):
        activation.activate(asked.approval_id, actor=ALICE)
    assert {services.find(key.key_id).state for key in (one, other)} == {KeyState.PRE_ACTIVE}


@requirement("C5")
def test_an_imported_key_serves_only_a_pool_that_says_so(pool):
    with pytest.raises(Refused, match="Pool default takes no imported keys"):
        imported(os.urandom(32), pool=DEFAULT_POOL)
    key = imported(os.urandom(32))
    pools.change(OUTSIDE, accepts_imports=False, reason="no more", actor=TESTS)
    with pytest.raises(Refused, match="Pool outside takes no imported keys"):
        activation.request(key.key_id, reason="x", actor=ALICE)
    activated_key = services.pick()
    assert activated_key.key_id in {known.key_id for known in pool}


@requirement("C5", "E1", "I12")
def test_no_program_asks_for_an_activation(admin_api):
    key = imported(os.urandom(32))
    assert admin_api.post(f"keys/{key.key_id}/activate", {"reason": "in use"}).status_code == 403
    assert services.find(key.key_id).state is KeyState.PRE_ACTIVE


@requirement("C5")
def test_an_expanded_key_is_told_why_it_cannot_be_imported(aws):
    with pytest.raises(
        Invalid, match=r"expanded ML-KEM-768 decapsulation key \(2400 bytes\).*64-byte seed"
    ) as refused:
        imported(os.urandom(2400), suite=Suite.MLKEM768, pool="plain")
    assert refused.value.errors[0].field == "seed"
    for size in (0, 31, 33, 64):
        with pytest.raises(Invalid, match=r"seed of the suite .* has 32 bytes"):
            imported(os.urandom(size))


@requirement("C5")
def test_a_pair_is_imported_once(aws):
    seed = os.urandom(32)
    imported(seed)
    with pytest.raises(Refused, match="imported already"):
        imported(seed)


@requirement("C5", "I1")
@pytest.mark.parametrize("fault", Fault)
def test_no_failed_call_half_imports_a_pair(aws, fault, each_call):
    for call, seed in each_call("import a key", fault, lambda: os.urandom(32), imported):
        try:
            imported(seed)
        except Refused:
            assert call, "it was imported, only the answer was lost"
        found = transfer.id_of_import(kem.public_key_of(seed, suite=Suite.XWING))
        assert seeds.unwrap(services.find(found)) == seed, call
        events = [e.event for e in audit.entries_page(limit=5, by="key", value=found).records]
        assert events == [PoolKeyEvent.IMPORTED], call


def asked(key, recipient, suite=Suite.XWING):
    return exporting.request(
        key.key_id, recipient=recipient, suite=suite, reason="moves", actor=ALICE
    ).approval_id


@requirement("C5", "I8")
def test_a_recipient_to_whom_nothing_can_be_sealed_is_refused_before_anyone_is_asked(pool):
    recipient = kem.generate_key_pair(Suite.MLKEM768_RAW).public_key
    with pytest.raises(Invalid, match="seal nothing"):
        asked(pool[0], recipient, Suite.MLKEM768_RAW)


@requirement("C5", "D1", "I2")
@pytest.mark.parametrize("suite", SEALING)
def test_an_exported_seed_opens_for_its_recipient_only_and_once(pool, suite, four_eyes):
    recipient, key = kem.generate_key_pair(suite), pool[0]
    approval_id = asked(key, recipient.public_key, suite)
    with pytest.raises(NotApproved):
        exporting.export(approval_id, actor=ALICE)
    approvals.approve(approval_id, actor=BOB)
    given = exporting.export(approval_id, actor=ALICE)
    seed = kem.open_secret(
        given.sealed_seed, suite=suite, seed=recipient.seed, info=transfer.info_of(key.key_id, key.suite)
    )
    assert kem.public_key_of(seed, suite=key.suite) == key.public_key == given.public_key
    with pytest.raises(kem.OpenFailed):
        kem.open_secret(
            given.sealed_seed,
            suite=suite,
            seed=kem.generate_key_pair(suite).seed,
            info=transfer.info_of(key.key_id, key.suite),
        )
    with pytest.raises(NotApproved):
        exporting.export(approval_id, actor=ALICE)
    assert repr(seed)[2:-1] not in str(everything(but=set()))
    events = [e.event for e in audit.entries_page(limit=9, by="key", value=key.key_id).records]
    assert PoolKeyEvent.EXPORTED in events


@requirement("C5")
@pytest.mark.parametrize("size", [0, 32, 1184, 1215, 1217])
def test_a_recipient_that_is_no_public_key_is_refused(pool, size):
    with pytest.raises(Invalid):
        asked(pool[0], os.urandom(size))
