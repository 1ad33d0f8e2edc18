"""Break-glass recovery: the root key is gone, the files come back, everything audited (C12, D1, I1, I2)."""

import hashlib
import io
from dataclasses import replace
from itertools import combinations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from apps.audit import services as audit
from apps.audit import verification
from apps.audit.services import transaction
from apps.common.aws import client
from apps.common.errors import Invalid, Refused
from apps.custody import approvals, recovery
from apps.custody.records import ApprovalStatus, NotApproved
from apps.custody.trail import ApprovalEvent, RecoveryEvent
from apps.files.opening import FileDamaged
from apps.keys import recovery_seal, seeds
from apps.keys import services as keys
from apps.keys.records import KeyUnusable
from apps.keys.store import PoolKeyTable
from apps.keys.trail import SecretEvent
from apps.sessions import finals
from apps.sessions import services as sessions
from apps.sessions.store import FinalKeyTable
from qkdseal import kem
from tests import requirement
from tests.conftest import TESTS
from tests.custody.files import encrypted, plaintext_of
from tests.custody.people import ALICE, BOB
from tests.custody.processes import process_starts
from tests.faults import TELLING
from tests.finals import final_key
from tests.tables import every, everything, save

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("four_eyes")]


def ceremony(*arguments, words=(), **options):
    out = io.StringIO()
    call_command(
        "recovery", *arguments, stdout=out, stderr=out, stdin=io.StringIO("\n".join(words)), **options
    )
    return out.getvalue()


@pytest.fixture
def recovery_key(own_root, aws, settings):
    """A recovery key, 2 of 3, configured."""
    made = recovery.make(threshold=2, shares=3, actor=TESTS)
    settings.RECOVERY_PUBLIC_KEY = made.public_key
    return made


def approved():
    asked = recovery.request(reason="the root key is lost", actor=ALICE)
    return approvals.approve(asked.approval_id, actor=BOB).approval_id


@requirement("C12", "D1", "I1")
def test_the_root_key_is_gone_and_the_files_come_back(aws, own_root, settings, request, monkeypatch):
    told = ceremony("make", threshold=2, shares=3)
    shares = [line.partition(": ")[2] for line in told.splitlines() if line.strip().startswith("share ")]
    settings.RECOVERY_PUBLIC_KEY = told.partition("RECOVERY_PUBLIC_KEY=")[2].split()[0]
    request.getfixturevalue("stock")
    (key,) = keys.create(1, actor=TESTS)
    file = encrypted(b"content", under=key, monkeypatch=monkeypatch)
    assert "2 shares give the recovery key; 3 secrets opened" in ceremony("check", words=shares[1:])

    own_root.unlink()  # the disaster: nobody has the root key any more
    process_starts()
    with pytest.raises((KeyUnusable, FileDamaged)):
        plaintext_of(file)
    with pytest.raises(CommandError, match="There is no approval"):
        ceremony("use", approval="ap-none", words=shares[:2])
    assert "6 secrets recovered" in ceremony("use", approval=approved(), words=shares[:2])

    process_starts()
    assert plaintext_of(file) == b"content"
    events = [entry.event for entry in every(audit.entries_page)]
    assert events.count(SecretEvent.RECOVERED) == 6
    for event in (
        RecoveryEvent.KEY_MADE, RecoveryEvent.CHECKED, ApprovalEvent.REQUESTED, ApprovalEvent.GIVEN,
        ApprovalEvent.USED, RecoveryEvent.USED,
    ):  # fmt: skip
        assert event in events
    assert verification.verify().problems == []


@requirement("C12", "I2")
def test_any_two_of_three_shares_give_the_key_and_one_does_not(recovery_key):
    seeds = {recovery.seed_from(pair) for pair in combinations(recovery_key.shares, 2)}
    assert len(seeds) == 1
    (seed,) = seeds
    with pytest.raises(Invalid):
        recovery.seed_from(recovery_key.shares[:1])
    first, last = recovery_key.shares[0].rsplit(" ", 1)
    changed = f"{first} {'acid' if last == 'academic' else 'academic'}"
    with pytest.raises(Invalid):
        recovery.seed_from([changed, recovery_key.shares[1]])
    assert seed not in str(everything(but=set())).encode()
    assert all(share not in str(everything(but=set())) for share in recovery_key.shares)


@requirement("C12")
def test_more_shares_than_are_needed_give_the_key_too(recovery_key):
    """Three officers of a 2-of-3 stood before a refusal."""
    first, second, third = recovery_key.shares
    seed = recovery.seed_from([first, second])
    assert recovery.seed_from([first, second, third]) == seed
    assert recovery.seed_from([third.upper(), first, third, f"  {first} "]) == seed


@requirement("C12")
def test_what_is_wrong_with_the_shares_is_said(recovery_key):
    first, second, _ = recovery_key.shares
    foreign = recovery.make(threshold=2, shares=3, actor=TESTS).shares[0]
    with pytest.raises(Invalid, match="1 different ones; 2 are needed"):
        recovery.seed_from([first, first])
    with pytest.raises(Invalid, match="share 2 is mistyped"):
        recovery.seed_from([first, second[:-1], foreign])
    with pytest.raises(Invalid, match="do not give a key"):
        recovery.seed_from([first, second, foreign])
    with pytest.raises(Invalid, match="missing"):
        recovery.seed_from([])


@requirement("C12")
def test_shares_of_another_recovery_key_are_refused(recovery_key):
    other = recovery.make(threshold=2, shares=2, actor=TESTS)
    with pytest.raises(Invalid, match="another recovery key"):
        recovery.seed_from(other.shares)


@requirement("C12")
@pytest.mark.parametrize(("threshold", "shares"), [(1, 3), (4, 3), (2, 17), (0, 0)])
def test_a_split_that_protects_nothing_is_refused(aws, threshold, shares):
    with pytest.raises(Invalid):
        recovery.make(threshold=threshold, shares=shares, actor=TESTS)


@requirement("C12")
def test_what_was_there_before_the_recovery_key_is_sealed_later(aws, own_root, settings):
    keys.create(2, actor=TESTS)
    sessions.generate(sessions.GenerateRequest(), actor=TESTS)
    with pytest.raises(Refused, match="No recovery key"):
        recovery.seal_missing(actor=TESTS)
    settings.RECOVERY_PUBLIC_KEY = recovery.make(threshold=2, shares=2, actor=TESTS).public_key
    with pytest.raises(CommandError, match="3 secrets are not sealed"):
        ceremony("check")
    assert "3 secrets sealed" in ceremony("seal")
    assert "0 secrets sealed, 3 were already" in ceremony("seal")
    assert "Every secret is sealed" in ceremony("check")
    settings.RECOVERY_PUBLIC_KEY = recovery.make(threshold=2, shares=2, actor=TESTS).public_key
    assert "3 secrets sealed" in ceremony("seal"), "to the new recovery key"


@requirement("C12")
def test_a_recovery_without_a_second_person_is_refused(recovery_key):
    asked = recovery.request(reason="x", actor=ALICE)
    with pytest.raises(NotApproved):
        recovery.use(recovery_key.shares[:2], approval_id=asked.approval_id, actor=ALICE)


@requirement("C12")
def test_a_seal_opens_for_its_own_record_and_its_own_recovery_key_only(recovery_key):
    one, two = keys.create(2, actor=TESTS)
    seed = recovery.seed_from(recovery_key.shares[:2])
    assert one.recovery_seal is not None
    assert recovery_seal.open_seal(
        one.recovery_seal, seed=seed, context=seeds.KIND.context_of(one.key_id)
    ) == seeds.unwrap(one)
    with pytest.raises(kem.OpenFailed):
        recovery_seal.open_seal(one.recovery_seal, seed=seed, context=seeds.KIND.context_of(two.key_id))
    with pytest.raises(kem.OpenFailed):
        recovery_seal.open_seal(one.recovery_seal, seed=bytes(32), context=seeds.KIND.context_of(one.key_id))


@requirement("C12")
def test_a_changed_seal_is_told_and_keeps_nobody_else(recovery_key, own_root):
    one, two = keys.create(2, actor=TESTS)
    session_id = sessions.generate(sessions.GenerateRequest(), actor=TESTS).session_id
    save(FinalKeyTable.of(replace(final_key(session_id), recovery_seal=one.recovery_seal)))
    own_root.unlink()
    process_starts()
    approval_id = approved()
    report = recovery.use(recovery_key.shares[:2], approval_id=approval_id, actor=TESTS)
    assert (report.done, list(report.failed)) == (2, [f"session {session_id}"])
    assert seeds.seed_of(keys.find(two.key_id))
    assert approvals.find(approval_id).status is ApprovalStatus.APPROVED, "so that it can be run again"


def forged_seal(key_id, secret):
    """A seal that anybody can make: the recovery key is public, and the context no secret."""
    return recovery_seal.require_seal(secret, context=seeds.KIND.context_of(key_id))


@requirement("C12", "I10")
def test_a_seal_forged_in_the_table_is_told_by_name(recovery_key, own_root):
    one, two = keys.create(2, actor=TESTS)
    client("dynamodb").update_item(
        TableName=PoolKeyTable.Meta.table_name,
        Key={"key_id": {"S": one.key_id}},
        UpdateExpression="SET recovery_seal = :s",
        ExpressionAttributeValues={":s": {"B": forged_seal(one.key_id, bytes(32))}},
    )
    report = recovery.check(recovery_key.shares[:2], actor=TESTS)
    assert list(report.failed) == [f"pool-keys/{one.key_id}"]
    own_root.unlink()
    process_starts()
    report = recovery.use(recovery_key.shares[:2], approval_id=approved(), actor=TESTS)
    assert list(report.failed) == [f"pool-keys/{one.key_id}"]
    assert seeds.unwrap(keys.find(two.key_id)), "it keeps no other"


@requirement("C12", "I10")
@pytest.mark.parametrize("kind", ["seed", "final key"])
def test_a_seal_with_another_secret_than_was_committed_to_is_told_by_name(recovery_key, own_root, kind):
    """Even one that stands in an authentic row: of a final key only its commitment tells."""
    if kind == "seed":
        found = seeds.secret_of(keys.create(1, actor=TESTS)[0])
    else:
        session_id = sessions.generate(sessions.GenerateRequest(), actor=TESTS).session_id
        found = finals.secret_of(final_key(session_id))
    other = bytes(len(finals.unwrap(final_key(session_id)))) if kind == "final key" else bytes(32)
    seal = recovery_seal.require_seal(other, context=found.context)
    with transaction(TESTS) as tx:
        tx.update(found.row, [found.kind.table.recovery_seal.set(seal)])
        tx.audit(SecretEvent.SEALED)
    report = recovery.check(recovery_key.shares[:2], actor=TESTS)
    assert "was forged" in report.failed[found.label]
    own_root.unlink()
    process_starts()
    report = recovery.use(recovery_key.shares[:2], approval_id=approved(), actor=TESTS)
    assert "was forged" in report.failed[found.label]


@requirement("C12", "D1")
def test_each_commitment_stands_in_the_trail_and_tells_no_secret(recovery_key):
    (key,) = keys.create(1, actor=TESTS)
    session_id = sessions.generate(sessions.GenerateRequest(), actor=TESTS).session_id
    final = final_key(session_id)
    told = {entry.detail.get("commitment") for entry in audit.entries_page(limit=20).records if entry.detail}
    assert {key.commitment, final.commitment} <= told
    assert hashlib.sha256(seeds.unwrap(key)).hexdigest() != key.commitment


@requirement("C12", "I10")
def test_a_secret_without_a_commitment_counts_as_not_sealed(recovery_key):
    (key,) = keys.create(1, actor=TESTS)
    with transaction(TESTS) as tx:
        tx.update(PoolKeyTable.of(key), [PoolKeyTable.commitment.set("")])
        tx.audit(SecretEvent.SEALED)
    assert recovery.check((), actor=TESTS).unsealed == [key.key_id]
    assert recovery.seal_missing(actor=TESTS).done == 1
    assert keys.find(key.key_id).commitment == key.commitment


@requirement("C12")
def test_a_wrong_setting_is_refused(settings):
    settings.RECOVERY_PUBLIC_KEY = "bm8ga2V5"
    with pytest.raises(ImproperlyConfigured):
        recovery_seal.public_key()


@requirement("C12", "I1", "I4")
@pytest.mark.parametrize("fault", TELLING)
def test_no_failed_call_of_a_recovery_loses_a_secret(recovery_key, own_root, fault, each_call):
    (key,) = keys.create(1, actor=TESTS)
    session_id = sessions.generate(sessions.GenerateRequest(), actor=TESTS).session_id
    seed, final = seeds.seed_of(key), finals.unwrap(final_key(session_id))

    def prepare():
        own_root.unlink()
        process_starts()
        return approved()

    def attempt(approval_id):
        recovery.use(recovery_key.shares[:2], approval_id=approval_id, actor=TESTS)

    for call, approval_id in each_call("recover", fault, prepare, attempt):
        process_starts()
        if approvals.find(approval_id).status is ApprovalStatus.APPROVED:
            attempt(approval_id)
        assert seeds.unwrap(keys.find(key.key_id)) == seed, call
        assert finals.unwrap(final_key(session_id)) == final, call
    assert verification.verify().problems == []
