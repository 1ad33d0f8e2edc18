"""Four eyes: what destroys or gives out keys is asked for by one person and allowed by another.

There is no setting for how many must agree: it is always one person besides the one who asks. The edges decide who
has the right to ask and to allow, as everywhere; this module decides that they are two people.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from apps.access.identities import are_one_person
from apps.audit.records import Actor, ActorKind, Event, Outcome
from apps.audit.services import Transaction, record, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.common.errors import Forbidden
from apps.custody import store
from apps.custody.records import Approval, ApprovalNotFound, ApprovalStatus, Guarded, NotApproved, SamePerson
from apps.custody.store import ApprovalTable
from apps.custody.trail import ApprovalEvent

VALID = timedelta(hours=24)  # from the request to its use


def request(
    action: Guarded, subject: str, *, reason: str, actor: Actor, parameters: Mapping[str, Any] | None = None
) -> Approval:
    """Ask for something that needs a second person.

    Raises:
        Forbidden: the platform itself asks; only people and their programs may.
    """
    _check_person(actor)
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
    with transaction(actor) as tx:
        tx.put(ApprovalTable.of(asked))
        tx.audit(ApprovalEvent.REQUESTED, reason=reason, **_entry_fields(asked))
    return asked


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
    """Allow what someone else asked for.

    Raises:
        ApprovalNotFound: no such request.
        SamePerson: the actor is, or may be, who asked. The attempt is recorded.
        Forbidden: the platform itself, which is nobody.
        NotApproved: it was decided already, or has expired.
    """
    _check_person(actor)
    asked = find(approval_id)
    if are_one_person(actor, _requester(asked)):
        record(actor, ApprovalEvent.GIVEN, outcome=Outcome.DENIED, **_entry_fields(asked))
        raise SamePerson(
            "You asked for this yourself, or with one of your API keys. A second person has to approve it."
        )
    return _decide(asked, ApprovalStatus.APPROVED, ApprovalEvent.GIVEN, actor)


def refuse(approval_id: str, *, actor: Actor) -> Approval:
    """Refuse what was asked for, or withdraw it: that takes no second person.

    Raises:
        ApprovalNotFound: no such request.
        NotApproved: it was decided already.
    """
    return _decide(find(approval_id), ApprovalStatus.REFUSED, ApprovalEvent.REFUSED, actor)


def check(approval_id: str, action: Guarded, subject: str) -> Approval:
    """The approval, if it allows this now.

    Raises:
        ApprovalNotFound: no such request.
        NotApproved: not allowed, expired, used, or for something else.
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
    return found


def _not_approved(found: Approval) -> str:
    if found.status is ApprovalStatus.PENDING:
        return f"Approval {found.approval_id} is pending. A second person has to approve it first."
    return f"Approval {found.approval_id} is {found.status} and allows nothing more. Ask again."


def use(tx: Transaction, approval: Approval) -> None:
    """Use an approval up, in the transaction of what it allows.

    Raises (at commit):
        NotApproved: it was used, or has expired, meanwhile.
    """
    moment = clock.now()
    tx.update(
        ApprovalTable.of(approval),
        [
            ApprovalTable.status.set(ApprovalStatus.USED),
            ApprovalTable.status_feed.set(feed(ApprovalStatus.USED, approval.approval_id)),
            ApprovalTable.used_at.set(moment),
        ],
        condition=(ApprovalTable.status == ApprovalStatus.APPROVED) & (ApprovalTable.expires_at > moment),
        otherwise=NotApproved(f"Approval {approval.approval_id} was used or expired meanwhile. Ask again."),
    )
    tx.audit(ApprovalEvent.USED, approved_by=approval.decided_by, **_entry_fields(approval))


def _decide(asked: Approval, status: ApprovalStatus, event: Event, actor: Actor) -> Approval:
    moment = clock.now()
    with transaction(actor) as tx:
        tx.update(
            ApprovalTable.of(asked),
            [
                ApprovalTable.status.set(status),
                ApprovalTable.status_feed.set(feed(status, asked.approval_id)),
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


def _check_person(actor: Actor) -> None:
    if actor.kind is ActorKind.SYSTEM:
        raise Forbidden("The platform itself can neither ask for approvals nor give them. A person has to.")


def _requester(asked: Approval) -> Actor:
    kind, _, identifier = asked.requested_by.partition(":")
    return Actor(ActorKind(kind), identifier)


def _entry_fields(asked: Approval) -> dict[str, Any]:
    key_id = asked.subject if asked.action is not Guarded.RECOVER else None
    return {
        "key_id": key_id,
        "approval_id": asked.approval_id,
        "action": asked.action.value,
        "requested_by": asked.requested_by,
    }
