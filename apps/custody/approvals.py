"""Four eyes: what destroys or gives out keys is asked for by one person and approved by another.

There is no setting for how many must agree: it is always one person besides the one who asks. The edges decide who
may call; this module decides that two persons agree, that both still may when it is used, and that it is used once.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pynamodb.expressions.update import Action

from apps.access.identities import are_one_person
from apps.audit.records import Actor, Event, Outcome
from apps.audit.services import Transaction, record, transaction
from apps.audit.verification import proven_entries
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.common.errors import Forbidden
from apps.common.idempotency import keep
from apps.custody import second_persons, store
from apps.custody.records import Approval, ApprovalNotFound, ApprovalStatus, Guarded, NotApproved, SamePerson
from apps.custody.store import ApprovalTable
from apps.custody.trail import ApprovalEvent

VALID = timedelta(hours=24)  # from the request to its use
ENTRIES = 8  # more than an approval leaves: requested, given, refused, withdrawn or used


def request(
    action: Guarded, subject: str, *, reason: str, actor: Actor, parameters: Mapping[str, Any] | None = None
) -> Approval:
    """Ask for something that needs a second person.

    Raises:
        Forbidden: a program or the platform asks, or a person who may not manage keys. The attempt is recorded.
    """
    moment = clock.now()
    asked = Approval(
        approval_id=f"ap-{uuid.uuid4()}",
        action=action,
        subject=subject,
        status=ApprovalStatus.PENDING,
        reason=reason,
        requested_by=str(actor),
        requested_at=moment,
        expires_at=moment + VALID,
        parameters=parameters or {},
    )
    try:
        person = second_persons.find_requester(str(actor))
    except Forbidden:
        _record_denied(asked, ApprovalEvent.REQUESTED, actor)
        raise
    row = ApprovalTable.of(asked)
    with transaction(actor) as tx:
        keep(tx, "approval", approval_id=asked.approval_id)
        second_persons.require_unchanged(tx, person)
        tx.put(row)
        tx.audit(ApprovalEvent.REQUESTED, reason=reason, **_entry_fields(asked))
    return row.record()


def find(approval_id: str) -> Approval:
    """One request.

    Raises:
        ApprovalNotFound: no such request.
    """
    found = ApprovalTable.find(approval_id)
    if found is None:
        raise ApprovalNotFound(f"There is no approval {approval_id!r}.")
    return found


def approvals_page(
    *, limit: int, position: Position | None = None, status: ApprovalStatus | None = None
) -> Page[Approval]:
    """Requests, newest first."""
    return store.approvals_page(limit=limit, position=position, status=status)


def approve(approval_id: str, *, actor: Actor) -> Approval:
    """Approve what someone else asked for.

    Raises:
        ApprovalNotFound: no such request.
        SamePerson: the actor is, or may be, who asked. The attempt is recorded.
        Forbidden: the actor is no approver. The attempt is recorded.
        NotApproved: it was decided already, has expired, or who asked may no longer ask.
    """
    asked = find(approval_id)
    pair = _find_deciding(asked, ApprovalEvent.GIVEN, actor)
    if are_one_person(str(actor), asked.requested_by):
        _record_denied(asked, ApprovalEvent.GIVEN, actor)
        raise SamePerson(
            "You asked for this yourself, or with one of your API keys. A second person has to approve it."
        )
    return _decide(asked, ApprovalStatus.APPROVED, ApprovalEvent.GIVEN, actor, pair)


def refuse(approval_id: str, *, actor: Actor) -> Approval:
    """Refuse what was asked for, as an approver.

    Raises:
        ApprovalNotFound: no such request.
        Forbidden: the actor is no approver. The attempt is recorded.
        NotApproved: it was decided already.
    """
    asked = find(approval_id)
    pair = _find_deciding(asked, ApprovalEvent.REFUSED, actor)
    return _decide(asked, ApprovalStatus.REFUSED, ApprovalEvent.REFUSED, actor, pair)


def withdraw(approval_id: str, *, actor: Actor) -> Approval:
    """End a request that was not used yet, as who asked for it or who approved it.

    Raises:
        ApprovalNotFound: no such request.
        Forbidden: the actor is neither. The attempt is recorded.
        NotApproved: it has ended already.
    """
    asked = find(approval_id)
    if str(actor) not in {asked.requested_by, asked.decided_by}:
        _record_denied(asked, ApprovalEvent.WITHDRAWN, actor)
        raise Forbidden("Only who asked for it, or who approved it, can withdraw it.")
    if asked.status not in {ApprovalStatus.PENDING, ApprovalStatus.APPROVED}:
        raise NotApproved(f"Approval {approval_id} is {asked.status}; there is nothing to withdraw.")
    with transaction(actor) as tx:
        tx.update(
            ApprovalTable.of(asked),
            _status_actions(asked, ApprovalStatus.WITHDRAWN),
            otherwise=NotApproved(f"Approval {approval_id} was used or decided just now. Look at it again."),
        )
        tx.audit(ApprovalEvent.WITHDRAWN, **_entry_fields(asked))
    return find(approval_id)


def check(approval_id: str, action: Guarded, subject: str) -> Approval:
    """The approval, if it allows this now.

    Raises:
        ApprovalNotFound: no such request.
        NotApproved: not approved, expired, used, withdrawn, for something else; one of the two persons lost the
            right to it; or the trail does not know of it.
    """
    found = find(approval_id)
    if (found.action, found.subject) != (action, subject):
        raise NotApproved(
            f"Approval {approval_id} allows {found.action} of {found.subject} and nothing else. Ask for this one."
        )
    if found.status is not ApprovalStatus.APPROVED:
        raise NotApproved(_not_approved(found))
    if found.expires_at <= clock.now():
        raise NotApproved(f"Approval {approval_id} expired at {clock.as_text(found.expires_at)}. Ask again.")
    _find_holding(found)
    _check_trail(found)
    return found


def use(tx: Transaction, approval: Approval) -> None:
    """Use an approval up, in the transaction of what it allows; both persons must still have their right then.

    Raises:
        NotApproved: one of them lost it; at commit: it was used, withdrawn or has expired meanwhile.
    """
    moment = clock.now()
    _find_holding(approval).require_unchanged(tx)
    tx.update(
        ApprovalTable.of(approval),
        [*_status_actions(approval, ApprovalStatus.USED), ApprovalTable.used_at.set(moment)],
        condition=(ApprovalTable.status == ApprovalStatus.APPROVED) & (ApprovalTable.expires_at > moment),
        otherwise=NotApproved(f"Approval {approval.approval_id} was used or expired meanwhile. Ask again."),
    )
    tx.audit(ApprovalEvent.USED, approved_by=approval.decided_by, **_entry_fields(approval))


def _not_approved(found: Approval) -> str:
    if found.status is ApprovalStatus.PENDING:
        return f"Approval {found.approval_id} is pending. A second person has to approve it first."
    return f"Approval {found.approval_id} is {found.status} and allows nothing more. Ask again."


def _find_deciding(asked: Approval, event: Event, actor: Actor) -> second_persons.Pair:
    try:
        return second_persons.find_pair(asked, approver=str(actor))
    except Forbidden:
        _record_denied(asked, event, actor)
        raise


def _find_holding(approval: Approval) -> second_persons.Pair:
    try:
        return second_persons.find_pair(approval, approver=approval.decided_by or "")
    except Forbidden:
        raise NotApproved(
            f"{approval.decided_by}, who approved {approval.approval_id}, is no longer an approver. Ask again."
        ) from None


def _check_trail(approval: Approval) -> None:
    """Check that the trail tells of the approval, and of no use: a row set back to before its use is not used again."""
    entries = proven_entries(by="approval", value=approval.approval_id, limit=ENTRIES)
    ended = {ApprovalEvent.USED, ApprovalEvent.WITHDRAWN, ApprovalEvent.REFUSED}
    if any(entry.event in ended for entry in entries):
        raise NotApproved(f"Approval {approval.approval_id} has ended, says the audit trail. Ask again.")
    expected = _entry_fields(approval)
    for entry in entries:
        told = {"key_id": entry.key_id, **entry.detail}  # and how far a clock was behind, where it was
        given = (entry.event, entry.actor) == (ApprovalEvent.GIVEN, approval.decided_by)
        if given and expected.items() <= told.items():
            return
    raise NotApproved(
        f"The audit trail does not tell that {approval.approval_id} was approved. "
        "If it was just now, try again in a moment; else ask again, and tell the auditor."
    )


def _decide(
    asked: Approval, status: ApprovalStatus, event: Event, actor: Actor, pair: second_persons.Pair
) -> Approval:
    moment = clock.now()
    with transaction(actor) as tx:
        pair.require_unchanged(tx)
        tx.update(
            ApprovalTable.of(asked),
            [
                *_status_actions(asked, status),
                ApprovalTable.decided_by.set(str(actor)),
                ApprovalTable.decided_at.set(moment),
            ],
            condition=(ApprovalTable.status == ApprovalStatus.PENDING) & (ApprovalTable.expires_at > moment),
            otherwise=NotApproved(
                f"Approval {asked.approval_id} is decided already or expired. Ask again if it is still needed."
            ),
        )
        tx.audit(event, **_entry_fields(asked))
    return find(asked.approval_id)


def _status_actions(approval: Approval, status: ApprovalStatus) -> list[Action]:
    return [
        ApprovalTable.status.set(status),
        ApprovalTable.status_feed.set(feed(status, approval.approval_id)),
    ]


def _record_denied(asked: Approval, event: Event, actor: Actor) -> None:
    record(actor, event, outcome=Outcome.DENIED, **_entry_fields(asked))


def _entry_fields(asked: Approval) -> dict[str, Any]:
    of_pool = asked.action not in {Guarded.RECOVER, Guarded.EXPORT_QUANTUM_KEY}
    key_id = asked.subject if of_pool else None
    return {
        "key_id": key_id,
        "approval_id": asked.approval_id,
        "action": asked.action.value,
        "subject": asked.subject,
        "requested_by": asked.requested_by,
        "parameters": dict(asked.parameters),
    }
