"""Liveness and readiness (E5): is the process up, and does each thing that it needs answer, how fast."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from apps.common import aws
from apps.common.dynamodb import all_tables
from apps.common.root_keys.configured import root_key


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one dependency answered, and in how many milliseconds."""

    name: str
    ok: bool
    milliseconds: float


def _tables() -> None:
    dynamodb = aws.client("dynamodb")
    for table in all_tables():
        dynamodb.describe_table(TableName=table.Meta.table_name)


def _buckets() -> None:
    for bucket in (settings.UPLOADS_BUCKET, settings.ENCRYPTED_BUCKET, settings.DOWNLOADS_BUCKET):
        aws.client("s3").head_bucket(Bucket=bucket)


def _queue() -> None:
    aws.client("sqs").get_queue_url(QueueName=settings.JOBS_QUEUE)


def _key_wrapping() -> None:
    context = {"record": "health"}
    root = root_key()
    if root.unwrap(root.wrap(b"probe", context=context), context=context) != b"probe":
        raise ValueError("the root key does not give back what it wrapped")


def _console_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


CHECKS: dict[str, Callable[[], None]] = {
    "tables": _tables,
    "buckets": _buckets,
    "queue": _queue,
    "key_wrapping": _key_wrapping,
    "console_database": _console_database,
}


def _check(name: str) -> Check:
    started = time.perf_counter()
    try:
        CHECKS[name]()
        ok = True
    except Exception:  # noqa: BLE001 - whatever it is, the dependency does not work; details are not public
        ok = False
    finally:
        connection.close()  # of this thread
    return Check(name, ok, round((time.perf_counter() - started) * 1000, 1))


def readiness() -> list[Check]:
    """Ask every dependency at once."""
    with ThreadPoolExecutor(len(CHECKS)) as threads:
        return list(threads.map(_check, CHECKS))
