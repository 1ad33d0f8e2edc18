"""Four eyes: never the requester under any identity, never without approval, expiring, once, audited (C5, D1)."""

import uuid
from datetime import timedelta

import pytest

from apps.access import principals
from apps.access.models import User
from apps.access.roles import Role
from apps.audit import services as audit
from apps.audit import verification
from apps.audit.records import Actor, ActorKind, Outcome, system
from apps.audit.services import transaction
from apps.audit.writing import HELD_BACK
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
from tests.custody.people import ALICE, BOB, admit, key_of, program_of
from tests.faults import TELLING
from tests.keys.rewriting import rewritten

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("four_eyes")]


def asked(actor=ALICE):
    return approvals.request(Guarded.DESTROY_KEY, "pk-1", reason="test", actor=actor)


@requirement("C5")
def test_a_second_person_approves(aws):
    given = approvals.approve(asked().approval_id, actor=BOB)
    assert (given.status, given.decided_by) == (ApprovalStatus.APPROVED, str(BOB))
    assert approvals.check(given.approval_id, Guarded.DESTROY_KEY, "pk-1") == given
    assert approvals.approvals_page(limit=5, status=ApprovalStatus.PENDING).records == []


@requirement("C5", "D1", "I12")
def test_nobody_approves_for_themselves_under_any_identity(aws):
    by_key, _ = key_of(ALICE)
    second_account = Actor(ActorKind.USER, str(uuid.uuid4()))
    admit(second_account)
    User.objects.create(pk=ALICE.id, username="alice", email="Alice@example.com")
    User.objects.create(pk=second_account.id, username="alice2", email="alice@EXAMPLE.com ")
    same = [ALICE, by_key, second_account]
    for requester in same:
        for approver in same:
            request = asked(requester)
            with pytest.raises(SamePerson):
                approvals.approve(request.approval_id, actor=approver)
            assert approvals.find(request.approval_id).status is ApprovalStatus.PENDING
    denied = [e for e in audit.entries_page(limit=60).records if e.outcome is Outcome.DENIED]
    assert len(denied) == len(same) ** 2


@requirement("C5", "I12")
def test_a_renamed_person_stays_the_same(aws):
    user = User.objects.create(pk=ALICE.id, username="Mallory")
    request = asked(ALICE)
    user.username = "mallory.new"
    user.save()
    with pytest.raises(SamePerson):
        approvals.approve(request.approval_id, actor=Actor(ActorKind.USER, str(user.pk)))


def nobody():
    """A person with a user of the console, a superuser even, who was not admitted."""
    user = User.objects.create_superuser(f"root-{uuid.uuid4()}")
    return Actor(ActorKind.USER, str(user.pk), sees_all=True)


def admitted(**rights):
    person = Actor(ActorKind.USER, str(uuid.uuid4()))
    admit(person, **rights)
    return person


def service():
    return program_of(system("first_run"), role=Role.ADMINISTRATOR)[0]


@requirement("C5", "D1", "I12")
@pytest.mark.parametrize(
    "who",
    [
        lambda: system("sweeper"),
        service,
        lambda: program_of(ALICE)[0],
        nobody,
        lambda: admitted(role=Role.CLIENT, approver=False),
        lambda: admitted(role=Role.AUDITOR, approver=True),
    ],
    ids=["platform", "service", "program of a person", "superuser", "client", "auditor"],
)
def test_only_persons_who_manage_keys_ask(aws, who):
    with pytest.raises(Forbidden, match="Only an admitted person"):
        asked(who())
    (entry,) = audit.entries_page(limit=1).records
    assert (entry.event, entry.outcome) == (ApprovalEvent.REQUESTED, Outcome.DENIED)


@requirement("C5", "D1", "I12")
@pytest.mark.parametrize(
    "who",
    [
        lambda: system("sweeper"),
        service,
        lambda: program_of(BOB)[0],
        nobody,
        lambda: admitted(role=Role.ADMINISTRATOR, approver=False),
    ],
    ids=["platform", "service", "program of a person", "superuser", "administrator"],
)
def test_only_approvers_approve_and_refuse(aws, who):
    request, person = asked(), who()
    for decide, event in (
        (approvals.approve, ApprovalEvent.GIVEN),
        (approvals.refuse, ApprovalEvent.REFUSED),
    ):
        with pytest.raises(Forbidden, match="not admitted as an approver"):
            decide(request.approval_id, actor=person)
        (entry,) = audit.entries_page(limit=1).records
        assert (entry.event, entry.outcome) == (event, Outcome.DENIED)
    assert approvals.find(request.approval_id).status is ApprovalStatus.PENDING


@requirement("C5", "I12")
@pytest.mark.parametrize("person", [ALICE, BOB], ids=["requester", "approver"])
@pytest.mark.parametrize(
    "loss",
    [
        lambda person: principals.disable(str(person), reason="left", actor=TESTS),
        lambda person: principals.change(str(person), role=Role.CLIENT, approver=False, actor=TESTS),
    ],
    ids=["disabled", "demoted"],
)
def test_an_approval_ends_when_one_of_the_two_loses_the_right(aws, person, loss):
    given = approvals.approve(asked().approval_id, actor=BOB)
    found = approvals.check(given.approval_id, Guarded.DESTROY_KEY, "pk-1")
    loss(person)
    with pytest.raises(NotApproved, match=r"may no longer ask|no longer an approver"):
        approvals.check(given.approval_id, Guarded.DESTROY_KEY, "pk-1")
    with pytest.raises(NotApproved), transaction(ALICE) as tx:
        approvals.use(tx, found)
    assert approvals.find(given.approval_id).status is ApprovalStatus.APPROVED


@requirement("C5", "I12")
@pytest.mark.parametrize("person", [ALICE, BOB], ids=["requester", "approver"])
def test_who_is_disabled_while_an_approval_is_used_still_stops_it(aws, person):
    given = approvals.approve(asked().approval_id, actor=BOB)
    with pytest.raises(NotApproved, match="changed just now"), transaction(ALICE) as tx:
        approvals.use(tx, given)
        principals.disable(str(person), reason="left", actor=TESTS)
    assert approvals.find(given.approval_id).status is ApprovalStatus.APPROVED


@requirement("C5")
@pytest.mark.parametrize("withdrawn_by", [ALICE, BOB], ids=["requester", "approver"])
def test_an_approval_is_withdrawn_by_who_asked_or_approved(aws, withdrawn_by):
    given = approvals.approve(asked().approval_id, actor=BOB)
    with pytest.raises(Forbidden):
        approvals.withdraw(given.approval_id, actor=admitted())
    assert approvals.withdraw(given.approval_id, actor=withdrawn_by).status is ApprovalStatus.WITHDRAWN
    with pytest.raises(NotApproved, match="withdrawn"):
        approvals.check(given.approval_id, Guarded.DESTROY_KEY, "pk-1")
    with pytest.raises(NotApproved, match="nothing to withdraw"):
        approvals.withdraw(given.approval_id, actor=withdrawn_by)


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
    refused = approvals.refuse(asked().approval_id, actor=BOB)
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


@requirement("C5", "D1")
def test_an_approval_given_by_a_clock_that_is_behind_is_used(pool, monkeypatch):
    behind = clock.now() - timedelta(minutes=5)
    key = expired_key(pool)
    monkeypatch.setattr(clock, "now", lambda: behind)
    approval_id = approved_destruction(key)
    given = audit.entries_page(limit=1, by="approval", value=approval_id).records[0]
    assert (given.event, HELD_BACK in given.detail) == (ApprovalEvent.GIVEN, True)
    assert destruction.schedule(approval_id, actor=ALICE).destroy_after is not None


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
@pytest.mark.parametrize("fault", TELLING)
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
