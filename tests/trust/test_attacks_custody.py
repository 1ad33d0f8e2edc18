"""A table writer at approvals, recovery seals and the trail: what each attack gets, and by what it is found (I10, I12)."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.access import api_keys, principals
from apps.access.roles import Role
from apps.access.store import ApiKeyTable, PrincipalTable
from apps.audit import rows, verification
from apps.audit import services as audit
from apps.audit.services import transaction
from apps.audit.store import EntryTable
from apps.common.authenticated import RecordForged
from apps.common.aws import client
from apps.common.dynamodb import Table
from apps.custody import approvals, exporting
from apps.custody.records import Approval, NotApproved
from apps.custody.store import ApprovalTable
from apps.custody.trail import ApprovalEvent
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.conftest import TESTS
from tests.custody.people import ALICE, BOB, admit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def four_eyes(aws: None) -> None:
    """Alice and Bob, admitted as persons who may ask and approve."""
    admit(ALICE)
    admit(BOB)


def stored(table: type[Table[Any]], **key: str) -> dict[str, Any]:
    """A row as DynamoDB keeps it."""
    named = {name: {"S": value} for name, value in key.items()}
    item: dict[str, Any] = client("dynamodb").get_item(TableName=table.Meta.table_name, Key=named)["Item"]
    return item


def write(table: type[Table[Any]], item: dict[str, Any]) -> None:
    """What a table writer can do."""
    client("dynamodb").put_item(TableName=table.Meta.table_name, Item=item)


def change(approval: Approval, **fields: Any) -> None:
    item = stored(ApprovalTable, approval_id=approval.approval_id)
    write(ApprovalTable, item | {name: {"S": str(value)} for name, value in fields.items()})


def asked(key: Any) -> Approval:
    recipient = kem.generate_key_pair()
    return exporting.request(
        key.key_id, recipient=recipient.public_key, suite=Suite.XWING, reason="test", actor=ALICE
    )


def found() -> set[str]:
    return {problem.what for problem in verification.verify(verification.Depth.RECORDS).row_problems}


@requirement("C5", "I10", "I12")
def test_an_approval_written_into_the_table_returns_no_seed(pool: list[Any]) -> None:
    request = asked(pool[0])
    change(request, status="approved", status_feed="approved#0", decided_by=str(BOB))
    with pytest.raises(RecordForged, match=request.approval_id):
        exporting.export(request.approval_id, actor=ALICE)
    assert "its content is not what the platform wrote" in found()


@requirement("C5", "I10", "I12")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("requested_by", "user:00000000-0000-4000-8000-00000000000b"),
        ("decided_by", "user:00000000-0000-4000-8000-00000000000a"),
        ("parameters", '{"recipient_public_key":"AAAA","recipient_suite":"x-wing"}'),
        ("subject", "pk-other"),
        ("expires_at", "2999-01-01T00:00:00.000000Z"),
        ("action", "destroy_key"),
    ],
)
def test_no_part_of_an_approval_can_be_changed(pool: list[Any], field: str, value: str) -> None:
    given = approvals.approve(asked(pool[0]).approval_id, actor=BOB)
    change(given, **{field: value})
    with pytest.raises(RecordForged, match=given.approval_id):
        exporting.export(given.approval_id, actor=ALICE)


@requirement("C5", "I10", "I12")
def test_an_approval_put_back_after_its_use_is_not_used_again(pool: list[Any]) -> None:
    given = approvals.approve(asked(pool[0]).approval_id, actor=BOB)
    before = stored(ApprovalTable, approval_id=given.approval_id)
    exporting.export(given.approval_id, actor=ALICE)
    write(ApprovalTable, before)
    with pytest.raises(NotApproved, match="has ended, says the audit trail"):
        exporting.export(given.approval_id, actor=ALICE)
    assert found() == {"it was set back to an earlier state"}


@requirement("C5", "I10", "I12")
@pytest.mark.parametrize("end", [approvals.withdraw, approvals.refuse], ids=["withdrawn", "refused"])
def test_an_approval_that_ended_is_not_brought_back(pool: list[Any], end: Any) -> None:
    request = asked(pool[0])
    before = stored(ApprovalTable, approval_id=request.approval_id)
    end(request.approval_id, actor=ALICE)
    write(ApprovalTable, before)
    approvals.approve(request.approval_id, actor=BOB)
    with pytest.raises(NotApproved, match="has ended, says the audit trail"):
        exporting.export(request.approval_id, actor=ALICE)


@requirement("C5", "D3", "I10", "I12")
@pytest.mark.parametrize("harm", ["removed", "changed", "hidden"])
def test_an_approval_without_its_entry_is_not_used(pool: list[Any], harm: str) -> None:
    given = approvals.approve(asked(pool[0]).approval_id, actor=BOB)
    (entry,) = [
        entry
        for entry in audit.entries_page(limit=20, by="approval", value=given.approval_id).records
        if entry.event == ApprovalEvent.GIVEN
    ]
    row = EntryTable.get(entry.chain, entry.sequence)
    if harm == "removed":
        row.delete()
    elif harm == "changed":
        row.update([EntryTable.source_ip.set("192.0.2.1")])
    else:
        row.update([EntryTable.approval_feed.remove()])
    with pytest.raises(NotApproved, match="does not tell"):
        exporting.export(given.approval_id, actor=ALICE)
    assert verification.verify().problems


@requirement("C5", "I10", "I12")
def test_a_principal_made_up_or_set_back_in_the_table_approves_nothing(pool: list[Any]) -> None:
    """Set back it approves, until it is looked for: the one thing that a table writer can do."""
    carol = ALICE.__class__(ALICE.kind, "00000000-0000-4000-8000-00000000000c")
    admit(carol, approver=False)
    request = asked(pool[0])
    item = stored(PrincipalTable, principal_id=str(carol))
    write(PrincipalTable, item | {"approver": {"BOOL": True}})
    with pytest.raises(RecordForged, match=str(carol)):
        approvals.approve(request.approval_id, actor=carol)
    write(PrincipalTable, item | {"principal_id": {"S": "user:made-up"}, "approver": {"BOOL": True}})
    with pytest.raises(RecordForged, match="made-up"):
        approvals.approve(request.approval_id, actor=ALICE.__class__(ALICE.kind, "made-up"))
    write(PrincipalTable, item)
    principals.disable(str(carol), reason="left", actor=TESTS)
    write(PrincipalTable, item)
    assert "it was set back to an earlier state" in found()


@requirement("I6", "I10")
@pytest.mark.parametrize("harm", ["forged", "moved"])
def test_a_forged_row_does_not_break_a_list_and_is_left_out(aws: None, harm: str) -> None:
    callers = [api_keys.issue_for_service(name, role=Role.CLIENT, actor=TESTS)[0] for name in "abc"]
    made = [api_keys.find(caller.key_id) for caller in callers]
    item = stored(ApiKeyTable, key_id=made[1].key_id)
    if harm == "forged":
        write(ApiKeyTable, item | {"secret_hash": {"S": "00"}})
        listed = api_keys.keys_page(limit=2)
        first = [key.key_id for key in listed.records]
        assert listed.left_out == (f"api-keys/{made[1].key_id}",)
        assert listed.older is not None, "the next page is reached all the same"
    else:
        write(ApiKeyTable, item | {"principal_feed": {"S": f"{made[0].principal_id}#0"}})
        listed = api_keys.keys_page(limit=2, principal_id=made[0].principal_id)
        first = [key.key_id for key in listed.records]
        assert first == [made[0].key_id]
        assert listed.left_out == (f"api-keys/{made[1].key_id}",)
    assert made[1].key_id not in first


@requirement("D3", "I10")
def test_records_written_during_the_verification_are_not_suspected(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = api_keys.issue_for_service("before", role=Role.CLIENT, actor=TESTS)
    real = rows.RowCheck.go

    def meanwhile(check: Any, **more: Any) -> Any:
        api_keys.issue_for_service("meanwhile", role=Role.CLIENT, actor=TESTS)
        api_keys.revoke(before.key_id, reason="leaked", actor=TESTS)
        return real(check, **more)

    monkeypatch.setattr(rows.RowCheck, "go", meanwhile)
    verified = verification.verify(verification.Depth.RECORDS)
    assert (verified.row_problems, verified.problems) == ([], [])


@requirement("D3", "I10")
def test_the_command_names_every_row(aws: None) -> None:
    made, _ = api_keys.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    out = io.StringIO()
    call_command("verify_audit", records=True, stdout=out)
    assert "4 records are as it says" in out.getvalue()
    item = stored(ApiKeyTable, key_id=made.key_id)
    api_keys.revoke(made.key_id, reason="leaked", actor=TESTS)
    write(ApiKeyTable, item)
    call_command("verify_audit", stdout=out)
    with pytest.raises(CommandError, match=r"1 record\(s\) are not as it says"):
        call_command("verify_audit", records=True, stderr=out)
    assert f"row api-keys/{made.key_id}: it was set back to an earlier state" in out.getvalue()


@requirement("D3", "I10")
@pytest.mark.parametrize(
    ("place", "named"),
    [("feed", "moved in or hidden from lists (feed)"), ("key_feed", "its content was changed")],
)
def test_an_entry_hidden_from_its_lists_is_named(aws: None, place: str, named: str) -> None:
    with transaction(TESTS) as tx:
        tx.audit(ApprovalEvent.USED, key_id="pk-1")
    row = next(iter(EntryTable.by_key.query("pk-1#0")))
    row.update([getattr(EntryTable, place).remove()])
    (problem,) = verification.verify().problems
    assert named in str(problem)
