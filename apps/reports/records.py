"""Reports: what was done in a period, kept as files with their digests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.common.authenticated import Record
from apps.common.errors import NotFound, Refused

Files = dict[str, dict[str, Any]]


class ReportNotFound(NotFound):
    """No such report, or no such file of one."""


class ReportUnsound(Refused):
    """What is kept of the report in the bucket is not what the platform wrote there."""


@dataclass(frozen=True, slots=True)
class Report(Record):
    """A report that was made. ``files`` says of each its key, SHA-256 and size; of many, ``files.json`` does."""

    report_id: str
    since: datetime
    until: datetime
    made_at: datetime
    made_by: str
    entries: int
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
