"""The table of jobs."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from apps.common.authenticated import RecordForged
from apps.common.dynamodb import (
    DocumentAttribute,
    EnumAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    WordsAttribute,
    count,
    feed,
    keys_index,
    meta,
    page,
    partitions,
    sort_key,
)
from apps.jobs.records import Job, JobState, Result, Share

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
            "due_at",
            "deaths",
            "postponed",
            "resent",
        }
    )
    # All hold keys only, so that a heartbeat writes none of them
    by_feed = keys_index("feed", "feed")
    by_owner = keys_index("by_owner", "owner_feed")
    # Only jobs that have not ended: the sweep looks for lost messages among them, and each owner's are counted.
    by_unfinished = keys_index("by_unfinished", "unfinished_feed")
    by_open = keys_index("by_open", "open_feed")

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
    due_at = TimeAttribute(null=True)
    deaths = NumberAttribute(default=0)
    postponed = NumberAttribute(default=0)
    resent = NumberAttribute(default=0)
    trace = UnicodeAttribute(null=True)
    unfinished_feed = UnicodeAttribute(null=True)
    open_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Job) -> dict[str, Any]:
        return {
            "feed": feed(LISTED, record.job_id),
            "owner_feed": feed(record.owner, record.job_id),
            "unfinished_feed": None if record.state.ended else feed(LISTED, record.job_id),
            "open_feed": None if record.state.ended else feed(record.owner, record.job_id),
            "sort": sort_key(record.created_at, record.job_id),
        }


def jobs_page(*, limit: int, position: Position | None, owner: str | None) -> Page[Job]:
    """All jobs, or those of one owner, newest first."""
    if owner is None:
        return page(JobTable.by_feed, LISTED, limit=limit, position=position)
    return page(JobTable.by_owner, owner, limit=limit, position=position)


def unfinished() -> Iterator[Job]:
    """Jobs that have not ended, the oldest first."""
    return _read(key for part in partitions(LISTED) for key in JobTable.by_unfinished.query(part))


def open_of(owner: str, *, limit: int) -> Iterator[Job]:
    """Jobs of one owner that have not ended, the oldest first."""
    keys = (key for part in partitions(owner) for key in JobTable.by_open.query(part, limit=limit))
    return _read(sorted(keys, key=lambda key: str(key.sort))[:limit])


def count_open(owner: str, *, limit: int) -> int:
    """How many jobs of an owner have not ended, counted up to a limit."""
    return count(JobTable.by_open, owner, limit=limit)


def _read(keys: Iterable[Any]) -> Iterator[Job]:
    """Read what an index names: it lags, holds keys only, and is not authenticated."""
    for key in keys:
        with suppress(RecordForged):  # logged there, with the row's name
            job = JobTable.find(key.job_id)
            if job is not None and not job.state.ended:
                yield job


class ShareTable(Table[Share]):
    Meta = meta("job-shares")
    record_type = Share
    undeciding = "It names jobs only, whose own rows are read and checked: what is not under way, or another's, does not count."

    principal = UnicodeAttribute(hash_key=True)
    job_ids = WordsAttribute()
    version = NumberAttribute()


class ResultTable(Table[Result]):
    Meta = meta("job-results")
    record_type = Result
    undeciding = "It names what was made, which is read by a row of its own; the trail says by which job."

    job_id = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)
    subject = UnicodeAttribute()
    made_at = TimeAttribute()


def results_page(
    job_id: str, *, limit: int, position: Position | None, oldest_first: bool = False
) -> Page[Result]:
    """Results of a job by one Query, the latest first unless told; a position names a place."""
    condition = None if position is None else ResultTable.place < position.sort
    rows = ResultTable.query(
        job_id, condition, scan_index_forward=oldest_first, limit=limit + 1, consistent_read=True
    )
    found = [row.record() for row in islice(rows, limit + 1)]
    return Page(found[:limit], older=found[limit - 1].place if len(found) > limit else None)
