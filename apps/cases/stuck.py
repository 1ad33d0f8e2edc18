"""What may be stuck of cases."""

from apps.cases import services
from apps.common.standstill import Stuck, of


def _unacknowledged() -> list[Stuck]:
    return of(
        "cases that nobody acknowledged",
        ((case.case_id, case.opened_at) for case in services.unacknowledged()),
        action="Look at the case, then acknowledge or close it: POST /api/v1/cases/{id}/acknowledge.",
    )


CHECKS = [_unacknowledged]
