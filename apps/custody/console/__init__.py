"""What the overview says of approvals and rotations that wait for a person."""

from collections.abc import Iterator
from datetime import timedelta

from django.http import HttpRequest
from django.urls import reverse

from apps.access.console import actor_of
from apps.common import clock
from apps.common.caching import TimedCache
from apps.console import attention
from apps.console.attention import Item
from apps.console.render import Tone
from apps.custody import approvals
from apps.custody.records import Approval, ApprovalStatus
from apps.keys import rotation

READ = 50  # requests that wait: a screen full
_approved = TimedCache[list[Approval]](max_items=1, ttl_seconds=30.0)  # whoever asked can wait so long
OVERDUE = timedelta(hours=24)  # a rotation's job takes minutes for thousands of files


def _approvals(request: HttpRequest) -> Iterator[Item]:
    """Requests that wait for this person: not those that they made themselves."""
    moment, who = clock.now(), str(actor_of(request))
    found = approvals.approvals_page(limit=READ, status=ApprovalStatus.PENDING).records
    waiting = [one for one in found if one.expires_at > moment and one.requested_by != who]
    if waiting:
        one = "request waits" if len(waiting) == 1 else "requests wait"
        yield Item(
            text=f"{len(waiting):,} {one} for a second person.",
            url=reverse("admin:custody_approval_changelist") + f"?status={ApprovalStatus.PENDING}",
            since=min(asked.requested_at for asked in waiting),
        )


def _allowed(request: HttpRequest) -> Iterator[Item]:
    """Requests of this person that a second one allowed, and that nobody has carried out."""
    moment, who = clock.now(), str(actor_of(request))
    found = _approved.get(
        "", lambda: approvals.approvals_page(limit=READ, status=ApprovalStatus.APPROVED).records
    )
    mine = [one for one in found if one.expires_at > moment and one.requested_by == who]
    if mine:
        one = "request of yours was" if len(mine) == 1 else "requests of yours were"
        it = "Carry it out before it expires." if len(mine) == 1 else "Carry them out before they expire."
        yield Item(
            text=f"{len(mine):,} {one} allowed. {it}",
            url=reverse("admin:custody_approval_changelist") + f"?status={ApprovalStatus.APPROVED}",
            since=min(asked.decided_at or asked.requested_at for asked in mine),
        )


def forget() -> None:
    """Look allowed requests up anew."""
    _approved.clear()


def _rotations(_request: HttpRequest) -> Iterator[Item]:
    """Rotations that should have ended."""
    overdue = [one for one in rotation.open_rotations() if one.started_at < clock.now() - OVERDUE]
    if overdue:
        one = "rotation is" if len(overdue) == 1 else "rotations are"
        yield Item(
            text=f"{len(overdue):,} {one} open for more than a day.",
            tone=Tone.BAD,
            url=reverse("admin:custody_rotation_changelist") + "?status=open",
            since=min(found.started_at for found in overdue),
        )


attention.register(attention.Source(permission="custody.decide_approval", load=_approvals))
attention.register(attention.Source(permission="custody.use_approval", load=_allowed))
attention.register(attention.Source(permission="custody.view_rotation", load=_rotations))
