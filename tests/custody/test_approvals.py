"""Four eyes: never the requester under any identity, never without approval, expiring, once, audited (C5, D1)."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from apps.audit import services as audit
from apps.audit import verification
from apps.audit.records import Outcome, system
from apps.common import clock
from apps.common.errors import Forbidden
from apps.custody import approvals, destruction, retirement
from apps.custody.destruction import KeyNeeded
from apps.custody.records import ApprovalStatus, Guarded, NotApproved, SamePerson
from apps.custody.trail import ApprovalEvent
from apps.files import messages
from apps.files import services as files
from apps.keys import lifecycle, transitions
from apps.keys import services as keys
from apps.keys.records import IllegalTransition, KeyState
from apps.keys.trail import PoolKeyEvent, RotationEvent
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import encrypted
from tests.custody.people import ALICE, BOB, program_of
from tests.faults import Fault
from tests.keys.rewriting import rewritten

pytestmark = pytest.mark.django_db


def asked(actor=ALICE):
    return approvals.request(Guarded.DESTROY_KEY, "pk-1", reason="test", actor=actor)


@requirement("C5")
def test_a_second_person_approves(aws):
    given = approvals.approve(asked().approval_id, actor=BOB)
    assert (given.status, given.decided_by) == (ApprovalStatus.APPROVED, "user:bob")
    assert approvals.check(given.approval_id, Guarded.DESTROY_KEY, "pk-1") == given
    assert approvals.approvals_page(limit=5, status=ApprovalStatus.PENDING).records == []


@requirement("C5", "D1")
def test_nobody_approves_for_themselves_under_any_identity(aws):
    program, _ = program_of(ALICE)
    of_the_program, _ = program_of(program)
    User.objects.create(username="alice", email="Alice@example.com")
    User.objects.create(username="alice2", email="alice@EXAMPLE.com ")
    second_account = ALICE.__class__(ALICE.kind, "alice2")
    same = [ALICE, program, of_the_program, second_account]
    for requester in same:
        for approver in same:
            request = asked(requester)
            with pytest.raises(SamePerson):
                approvals.approve(request.approval_id, actor=approver)
            assert approvals.find(request.approval_id).status is ApprovalStatus.PENDING
    denied = [e for e in audit.entries_page(limit=60).records if e.outcome is Outcome.DENIED]
    assert len(denied) == len(same) ** 2


@requirement("C5")
def test_the_platform_itself_neither_asks_nor_approves(aws):
    with pytest.raises(Forbidden):
        asked(system("sweeper"))
    with pytest.raises(Forbidden):
        approvals.approve(asked().approval_id, actor=system("sweeper"))


@requirement("C5")
def test_keys_that_the_platform_issued_are_one_person(aws):
    one, _ = program_of(system("first_run"))
    other, _ = program_of(system("first_run"))
    with pytest.raises(SamePerson):
        approvals.approve(asked(one).approval_id, actor=other)


@requirement("C5")
def test_an_approval_expires_before_and_after_it_is_given(aws, monkeypatch):
    pending, given = asked(), approvals.approve(asked().approval_id, actor=BOB)
    later = clock.now() + timedelta(hours=25)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(NotApproved):
        approvals.approve(pending.approval_id, actor=BOB)
    with pytest.raises(NotApproved, match="expired"):
        approvals.check(given.approval_id, Guarded.DESTROY_KEY, "pk-1")


@requirement("C5")
def test_an_approval_is_for_one_thing(aws):
    given = approvals.approve(asked().approval_id, actor=BOB)
    for action, subject in ((Guarded.DESTROY_KEY, "pk-2"), (Guarded.EXPORT_KEY, "pk-1")):
        with pytest.raises(NotApproved, match="and nothing else"):
            approvals.check(given.approval_id, action, subject)


@requirement("C5")
def test_a_decision_is_final(aws):
    refused = approvals.refuse(asked().approval_id, actor=ALICE)
    assert refused.status is ApprovalStatus.REFUSED
    for decide in (approvals.approve, approvals.refuse):
        with pytest.raises(NotApproved):
            decide(refused.approval_id, actor=BOB)


def expired_key(pool):
    return rewritten(pool[0], state=KeyState.EXPIRED)


def approved_destruction(key, **fields):
    request = destruction.request(key.key_id, reason="retired", actor=ALICE, **fields)
    return approvals.approve(request.approval_id, actor=BOB).approval_id


def windows_end(monkeypatch):
    later = clock.now() + timedelta(days=31)
    monkeypatch.setattr(clock, "now", lambda: later)


@requirement("C5", "D1", "I5")
def test_a_key_from_birth_to_destruction_in_the_trail(pool, monkeypatch):
    key_id = pool[0].key_id
    lifecycle.suspend(key_id, reason="looked into", actor=ALICE)
    lifecycle.resume(key_id, reason="clean", actor=ALICE)
    retirement.rotate(key_id, reason="old", actor=ALICE)
    transitions.commit(keys.find(key_id), "expire", reason="unneeded", actor=ALICE)
    approval_id = approved_destruction(keys.find(key_id))
    assert destruction.schedule(approval_id, actor=ALICE).destroy_after is not None
    with pytest.raises(NotApproved):
        destruction.schedule(approval_id, actor=ALICE)
    assert destruction.destroy_due(actor=TESTS) == 0
    windows_end(monkeypatch)
    assert destruction.destroy_due(actor=TESTS) == 1
    assert keys.find(key_id).state is KeyState.DESTROYED
    trail = audit.entries_page(limit=50, by="key", value=key_id).records
    assert [entry.event for entry in sorted(trail, key=lambda e: (e.timestamp, e.chain, e.sequence))] == [
        PoolKeyEvent.CREATED, PoolKeyEvent.SUSPENDED, PoolKeyEvent.RESUMED, PoolKeyEvent.ROTATION_QUEUED,
        RotationEvent.STARTED, PoolKeyEvent.EXPIRED, ApprovalEvent.REQUESTED, ApprovalEvent.GIVEN,
        ApprovalEvent.USED, PoolKeyEvent.DESTRUCTION_SCHEDULED, PoolKeyEvent.DESTROYED,
    ]  # fmt: skip
    assert verification.verify().problems == []


@requirement("C5")
def test_without_approval_nothing_is_destroyed(pool):
    key = expired_key(pool)
    request = destruction.request(key.key_id, reason="x", actor=ALICE)
    with pytest.raises(NotApproved):
        destruction.schedule(request.approval_id, actor=ALICE)
    assert keys.find(key.key_id).destroy_after is None


@requirement("I5")
def test_a_key_that_a_file_needs_is_not_destroyed(stock, pool, monkeypatch):
    file = encrypted(b"x", under=pool[0], monkeypatch=monkeypatch)
    files.delete(file.file_id, actor=TESTS)  # still restorable
    key = expired_key([keys.find(pool[0].key_id)])
    with pytest.raises(KeyNeeded, match="1 files need"):
        destruction.request(key.key_id, reason="x", actor=ALICE)


@requirement("I5")
def test_a_file_that_turns_up_in_the_window_stops_the_destruction(stock, pool, monkeypatch):
    key = expired_key(pool)
    destruction.schedule(approved_destruction(key), actor=ALICE)
    monkeypatch.setattr("apps.files.keys.rewrap.waiting", lambda *_, **__: type("P", (), {"records": [1]}))
    windows_end(monkeypatch)
    with pytest.raises(ExceptionGroup):
        destruction.destroy_due(actor=TESTS)
    assert keys.find(key.key_id).wrapped_seed is not None


@requirement("I5")
def test_that_messages_will_be_lost_must_be_said(stock, pool):
    package = messages.encrypt(b"x", actor=TESTS)
    used = keys.find(package.envelope.pool_key_id)
    key = rewritten(used, state=KeyState.EXPIRED)
    with pytest.raises(KeyNeeded, match="1 messages"):
        destruction.request(key.key_id, reason="x", actor=ALICE)
    assert (
        destruction.request(key.key_id, reason="x", actor=ALICE, lose_messages=True).parameters["messages"]
        == 1
    )


@requirement("C5")
def test_an_active_key_cannot_be_asked_to_be_destroyed(pool):
    with pytest.raises(IllegalTransition):
        destruction.request(pool[0].key_id, reason="x", actor=ALICE)


@requirement("I1", "I5")
@pytest.mark.parametrize("fault", Fault)
def test_no_failed_call_half_destroys_a_key(aws, monkeypatch, fault, each_call):
    real = clock.now

    def prepare():
        monkeypatch.setattr(clock, "now", real)
        (made,) = keys.create(1, actor=TESTS)
        return rewritten(made, state=KeyState.EXPIRED), approved_destruction(
            rewritten(made, state=KeyState.EXPIRED)
        )

    def attempt(subject):
        approval_id = subject[1]
        destruction.schedule(approval_id, actor=ALICE)
        windows_end(monkeypatch)
        destruction.destroy_due(actor=TESTS)

    for call, (key, approval_id) in each_call("destroy a key", fault, prepare, attempt):
        monkeypatch.setattr(clock, "now", real)
        found = keys.find(key.key_id)
        if found.state is KeyState.EXPIRED and found.destroy_after is None:
            assert approvals.find(approval_id).status is ApprovalStatus.APPROVED, call
            destruction.schedule(approval_id, actor=ALICE)
        windows_end(monkeypatch)
        destruction.destroy_due(actor=TESTS)
        found = keys.find(key.key_id)
        assert (found.state, found.wrapped_seed) == (KeyState.DESTROYED, None), call
        events = [e.event for e in audit.entries_page(limit=20, by="key", value=key.key_id).records]
        assert events.count(PoolKeyEvent.DESTROYED) == 1, call
    assert verification.verify().problems == []
