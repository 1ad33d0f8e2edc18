"""What every app needs of AWS and of the console's database."""

from collections.abc import Callable

from django.conf import settings
from django.db import connection

from apps.common import aws
from apps.common.dynamodb import all_tables


def _tables() -> None:
    dynamodb = aws.client("dynamodb")
    for table in all_tables():
        dynamodb.describe_table(TableName=table.Meta.table_name)


def _buckets() -> None:
    for bucket in (settings.UPLOADS_BUCKET, settings.ENCRYPTED_BUCKET, settings.DOWNLOADS_BUCKET):
        aws.client("s3").head_bucket(Bucket=bucket)


def _queue() -> None:
    aws.client("sqs").get_queue_url(QueueName=settings.JOBS_QUEUE)


def _custody_queue() -> None:
    aws.client("sqs").get_queue_url(QueueName=settings.CUSTODY_QUEUE)


def _console_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


CHECKS: dict[str, Callable[[], None]] = {
    "tables": _tables,
    "buckets": _buckets,
    "queue": _queue,
    "custody_queue": _custody_queue,
    "console_database": _console_database,
}
