"""What may be stuck of custody's work."""

from apps.common import clock
from apps.common.standstill import MOST, Stuck, of
from apps.custody import approvals, rotations
from apps.custody.records import ApprovalStatus
from apps.keys import rotation

APPROVAL_SECONDS = 3600


def _rotations() -> list[Stuck]:
    held = [found for found in rotation.open_rotations() if rotations.waits_for_a_person(found)]
    return of(
        "open rotations whose job failed or was cancelled",
        ((found.rotation_id, found.started_at) for found in held),
        action="Read the job's error, then POST /api/v1/rotations/{id}/resume.",
    )


def _approvals() -> list[Stuck]:
    """Requests that will lapse before long: they are valid for a day."""
    waiting = approvals.approvals_page(limit=MOST, status=ApprovalStatus.PENDING).records
    return of(
        "approvals that nobody decided within an hour",
        (
            (asked.approval_id, asked.requested_at)
            for asked in waiting
            if asked.requested_at < clock.ago(APPROVAL_SECONDS) and asked.expires_at > clock.now()
        ),
        action="An approver decides: POST /api/v1/approvals/{id}/approve or …/refuse.",
    )


CHECKS = [_rotations, _approvals]
