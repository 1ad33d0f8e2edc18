"""Cases that are not closed, as a metric."""

from collections.abc import Iterator

from apps.cases import services
from apps.cases.records import CaseStatus
from apps.common.standstill import MOST
from apps.metrics.catalog import CASES_OPEN
from apps.metrics.measuring import Reading


def _open() -> Iterator[Reading]:
    for status in (CaseStatus.OPEN, CaseStatus.ACKNOWLEDGED):
        found = services.listed(limit=MOST, status=status).records
        yield Reading(CASES_OPEN, len(found), {"status": status.value})


GAUGES = [_open]
