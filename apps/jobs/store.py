"""The table of jobs."""

from collections.abc import Iterator
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from apps.common.dynamodb import (
    DocumentAttribute,
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    authentic,
    feed,
    index,
    meta,
    page,
    partitions,
    sort_key,
)
from apps.jobs.records import Job, JobState

LISTED = "all"


class JobTable(Table[Job]):
    Meta = meta("jobs")
    record_type = Job
    # How far the work is: written at each heartbeat. Who asked for what is covered; the rest can be lost, not forged into
    # other work.
    outside = frozenset(
        {
            "state",
            "total",
            "done",
            "results",
            "started_at",
            "ended_at",
            "error",
            "heard_at",
            "cancel_requested",
            "run",
        }
    )
    by_feed = index("feed", "feed")
    by_owner = index("by_owner", "owner_feed")
    # Only jobs that have not ended: the sweep looks for lost messages among them.
    by_unfinished = index("by_unfinished", "unfinished_feed")

    job_id = UnicodeAttribute(hash_key=True)
    kind = UnicodeAttribute()
    state = EnumAttribute(JobState)
    owner = UnicodeAttribute()
    total = NumberAttribute()
    done = NumberAttribute(default=0)
    created_at = TimeAttribute()
    parameters = DocumentAttribute()
    results = DocumentAttribute()
    started_at = TimeAttribute(null=True)
    ended_at = TimeAttribute(null=True)
    error = UnicodeAttribute(null=True)
    heard_at = TimeAttribute(null=True)
    cancel_requested = BooleanAttribute(default=False)
    owner_feed = UnicodeAttribute(null=True)
    run = UnicodeAttribute(null=True)
    unfinished_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Job) -> dict[str, Any]:
        return {
            "feed": feed(LISTED, record.job_id),
            "owner_feed": feed(record.owner, record.job_id),
            "unfinished_feed": None if record.state.ended else feed(LISTED, record.job_id),
            "sort": sort_key(record.created_at, record.job_id),
        }


def jobs_page(*, limit: int, position: Position | None, owner: str | None) -> Page[Job]:
    """All jobs, or those of one owner, newest first."""
    if owner is None:
        return page(JobTable.by_feed, LISTED, limit=limit, position=position)
    return page(JobTable.by_owner, owner, limit=limit, position=position)


def unfinished() -> Iterator[Job]:
    """Jobs that have not ended, the oldest first."""
    for part in partitions(LISTED):
        for job in authentic(JobTable.by_unfinished.query(part)):
            if not job.state.ended:  # the index is not authenticated
                yield job
