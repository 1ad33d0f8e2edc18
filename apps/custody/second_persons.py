"""Who may ask for what needs two persons, and who may approve it: as their principal records say when it counts (I12).

Only these records decide, which a table writer cannot make. Django's users, with their permissions and the mark of
a superuser, stand in another database and make nobody an approver.
"""

from dataclasses import dataclass
from typing import TypeGuard

from apps.access import principals
from apps.access.records import Principal, PrincipalKind
from apps.access.roles import all_scopes
from apps.audit.services import Transaction
from apps.common.errors import Forbidden
from apps.custody.records import Approval, NotApproved

MANAGES = "keys:manage"  # the scope of who may ask


@dataclass(frozen=True, slots=True)
class Pair:
    """Who asked and who approved, both with the right to it as just read."""

    requester: Principal
    approver: Principal

    def require_unchanged(self, tx: Transaction) -> None:
        """Let a transaction happen only while both keep their right."""
        require_unchanged(tx, self.requester)
        if self.approver != self.requester:  # who refuses what they asked for themselves
            require_unchanged(tx, self.approver)


def require_unchanged(tx: Transaction, person: Principal) -> None:
    """Let a transaction happen only while a person keeps the right to it."""
    principals.require_unchanged(
        tx, person, otherwise=NotApproved("What a person may do was changed just now. Try again.")
    )


def may_ask(person: Principal | None) -> bool:
    """Return whether somebody may ask: an admitted, active person whose role manages keys."""
    return _acts(person) and all_scopes()[MANAGES] in person.scopes


def may_approve(person: Principal | None) -> bool:
    """Return whether somebody may be the second person: an admitted, active person, as an approver."""
    return _acts(person) and person.approver


def find_requester(principal_id: str) -> Principal:
    """The person who asks.

    Raises:
        Forbidden: not a person, not admitted, disabled, or without the right to manage keys.
    """
    person = principals.find_all(principal_id).get(principal_id)
    if person is None or not may_ask(person):
        raise Forbidden(
            "Only an admitted person whose role manages keys can ask for this; programs and the platform cannot."
        )
    return person


def find_pair(approval: Approval, *, approver: str) -> Pair:
    """Who asked for an approval, and who gives it or gave it.

    Raises:
        NotApproved: who asked may no longer ask.
        Forbidden: who approves is not an approver.
    """
    found = principals.find_all(approval.requested_by, approver)
    asking, approving = found.get(approval.requested_by), found.get(approver)
    if approving is None or not may_approve(approving):
        raise Forbidden(
            f"{approver} is not admitted as an approver. `manage.py person admit … --approver` admits persons."
        )
    if asking is None or not may_ask(asking):
        raise NotApproved(
            f"{approval.requested_by}, who asked for {approval.approval_id}, may no longer ask for it. "
            "Somebody who may has to ask again."
        )
    return Pair(asking, approving)


def _acts(person: Principal | None) -> TypeGuard[Principal]:
    return person is not None and person.kind is PrincipalKind.PERSON and person.active
