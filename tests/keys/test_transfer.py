"""Key pairs from outside and to outside: by seed, and sealed to who may have it (C5, I2)."""

import os

import pytest

from apps.audit import services as audit
from apps.common.errors import Invalid, Refused
from apps.custody import approvals, exporting
from apps.custody.records import NotApproved
from apps.files import messages
from apps.keys import lifecycle, seeds, services, transfer
from apps.keys.records import KeyState, KeyUnusable
from apps.keys.trail import PoolKeyEvent
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.conftest import TESTS
from tests.custody.people import ALICE, BOB
from tests.faults import Fault
from tests.tables import everything

pytestmark = pytest.mark.django_db
SEALING = [suite for suite in Suite if suite.seals]


def taken_in(seed, suite=Suite.XWING):
    return transfer.import_pair(seed, suite=suite, reason="moved here", actor=TESTS)


@requirement("C2", "C5")
@pytest.mark.parametrize("suite", SEALING)
def test_a_pair_is_imported_by_its_seed_and_used_once_activated(stock, suite, monkeypatch):
    pair = kem.generate_key_pair(suite)
    key = taken_in(pair.seed, suite)
    assert (key.state, key.public_key, key.imported) == (KeyState.PRE_ACTIVE, pair.public_key, True)
    with pytest.raises(KeyUnusable):
        seeds.seed_of(key)
    assert lifecycle.activate(key.key_id, reason="in use", actor=TESTS).state is KeyState.ACTIVE
    monkeypatch.setattr(services, "pick", lambda _pool: services.find(key.key_id))
    package = messages.encrypt(b"x", actor=TESTS)
    assert messages.decrypt(package.to_dict(), actor=TESTS) == b"x"


@requirement("C5")
def test_an_expanded_key_is_told_why_it_cannot_be_imported(aws):
    with pytest.raises(
        Invalid, match=r"expanded ML-KEM-768 decapsulation key \(2400 bytes\).*64-byte seed"
    ) as refused:
        taken_in(os.urandom(2400), Suite.MLKEM768)
    assert refused.value.errors[0].field == "seed"
    for size in (0, 31, 33, 64):
        with pytest.raises(Invalid, match=r"seed of the suite .* has 32 bytes"):
            taken_in(os.urandom(size))


@requirement("C5")
def test_a_pair_is_imported_once(aws):
    seed = os.urandom(32)
    taken_in(seed)
    with pytest.raises(Refused, match="imported already"):
        taken_in(seed)


@requirement("C5", "I1")
@pytest.mark.parametrize("fault", Fault)
def test_no_failed_call_half_imports_a_pair(aws, fault, each_call):
    for call, seed in each_call("import a key", fault, lambda: os.urandom(32), taken_in):
        try:
            taken_in(seed)
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
def test_an_exported_seed_opens_for_its_recipient_only_and_once(pool, suite):
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
