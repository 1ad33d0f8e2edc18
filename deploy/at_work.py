"""Whether anybody is still at work in a stage whose functions begin nothing any more.

Whoever changes a row moves the end of a chain of the trail in the same transaction (I1), and whoever works on a job
says so every five seconds. So the rows are those of one moment where neither has changed.
"""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from apps.stack.backups import BackupFailed

HEADS, JOBS, UNFINISHED = "audit-heads", "jobs", "by_unfinished"
QUIET_SECONDS = (
    45.0  # without a sign: a request takes 29 at most, and a worker that is not heard of for 40 is gone
)
LONGEST_SECONDS = 1000.0  # Lambda ends the worker after 900
LOOK_SECONDS = 5.0

Signs = tuple[list[str], list[str]]


def wait_for_rest(client: Callable[[str], Any], prefix: str) -> None:
    """Wait until those at work have ended.

    Raises:
        BackupFailed: something goes on that is no function of the stage.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    seen, since = signs(client, prefix), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        if time.monotonic() > deadline:
            raise BackupFailed(
                "Something still changes the rows of the stage, though its functions are stopped: a command that runs "
                "elsewhere? Nothing was read or written. End it, then give the same command again."
            )
        time.sleep(LOOK_SECONDS)
        found = signs(client, prefix)
        if found != seen:
            seen, since = found, time.monotonic()


def signs(client: Callable[[str], Any], prefix: str) -> Signs:
    """What changes while anybody is at work: the ends of the chains, and the heartbeats of jobs."""
    return heads(client, prefix), _heartbeats(client, prefix)


def heads(client: Callable[[str], Any], prefix: str) -> list[str]:
    """The ends of the chains of the trail."""
    return sorted(map(str, _scanned(client, f"{prefix}-{HEADS}", ConsistentRead=True)))


def _heartbeats(client: Callable[[str], Any], prefix: str) -> list[str]:
    table = f"{prefix}-{JOBS}"
    # Of those alone that have not ended: the index has no others, and all jobs ever are many
    names = sorted(row["job_id"]["S"] for row in _scanned(client, table, IndexName=UNFINISHED))
    read = client("dynamodb").get_item
    found = (
        read(TableName=table, Key={"job_id": {"S": name}}, ConsistentRead=True).get("Item", {})
        for name in names
    )
    return [str(row.get("heard_at")) for row in found]


def _scanned(client: Callable[[str], Any], table: str, **how: Any) -> list[dict[str, Any]]:
    try:
        pages = client("dynamodb").get_paginator("scan").paginate(TableName=table, **how)
        return [row for page in pages for row in page["Items"]]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return []  # a stage without tables yet: nobody is at work there
