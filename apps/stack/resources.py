"""Tables, buckets and queues of the embedded stack. In the cloud they come from ``infra/``.

Everything is done as often as wanted: what is there stays, what is missing is made.
"""

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings

from apps.common import aws
from apps.common.dynamodb import Table, all_tables
from apps.jobs.messages import VISIBLE_SECONDS
from apps.stack.uploads import HIDDEN_SECONDS

RETENTION_SECONDS = 14 * 86_400  # the longest that SQS keeps a message
MAX_RECEIVES = 5
# A job's message fails only while its state cannot be recorded, and is shown again a minute later: what is a dead
# letter after that failed for half an hour, in which AWS answered
MAX_JOB_RECEIVES = 30


def ensure() -> None:
    """Make what is missing of all that the product needs of AWS."""
    ensure_tables()
    dead_letters = ensure_queue(settings.DEAD_LETTER_QUEUE)
    for name in (settings.JOBS_QUEUE, settings.CUSTODY_QUEUE):
        ensure_queue(name, visibility=VISIBLE_SECONDS, dead_letters=dead_letters, receives=MAX_JOB_RECEIVES)
    events = ensure_queue(
        settings.UPLOAD_EVENTS_QUEUE,
        visibility=HIDDEN_SECONDS,
        dead_letters=dead_letters,
        fed_by=(settings.UPLOADS_BUCKET, settings.ENCRYPTED_BUCKET),
    )
    for bucket in (settings.UPLOADS_BUCKET, settings.ENCRYPTED_BUCKET):
        ensure_bucket(bucket, versioned=True)
    ensure_bucket(settings.DOWNLOADS_BUCKET, versioned=False)
    ensure_bucket(settings.EXPORTS_BUCKET, versioned=True)
    ensure_bucket(settings.CHECKPOINTS_BUCKET, versioned=True, locked=True)
    notify(settings.UPLOADS_BUCKET, events, of="s3:ObjectCreated:*")
    notify(settings.ENCRYPTED_BUCKET, events, of="s3:ObjectRestore:Completed")


def ensure_tables() -> None:
    """Tables as their models say, with streams, indexes and times to live."""
    dynamodb = aws.client("dynamodb")
    there = {name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]}
    for table in all_tables():
        # PynamoDB's own exists() would open a session for each table, which takes longer than all the rest.
        if table.Meta.table_name in there:
            _ensure_indexes(table)
            _ensure_stream(table)
        else:
            table.create_table(wait=True)


def _ensure_indexes(table: type[Table[Any]]) -> None:
    there = aws.client("dynamodb").describe_table(TableName=table.Meta.table_name)["Table"]
    known = {index["IndexName"] for index in there.get("GlobalSecondaryIndexes", [])}
    for index in table._get_schema()["global_secondary_indexes"]:  # noqa: SLF001 - what create_table sends
        if index["index_name"] not in known:
            _add_index(table, index)


def _ensure_stream(table: type[Table[Any]]) -> None:
    """A stream that the model got after the table was made."""
    view = getattr(table.Meta, "stream_view_type", None)
    dynamodb = aws.client("dynamodb")
    if view and "LatestStreamArn" not in dynamodb.describe_table(TableName=table.Meta.table_name)["Table"]:
        dynamodb.update_table(
            TableName=table.Meta.table_name,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )


def _add_index(table: type[Table[Any]], index: Any) -> None:
    """An index that the model got after the table was made; DynamoDB fills it."""
    aws.client("dynamodb").update_table(
        TableName=table.Meta.table_name,
        AttributeDefinitions=index["attribute_definitions"],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": index["index_name"],
                    "KeySchema": index["key_schema"],
                    "Projection": index["projection"],
                }
            }
        ],
    )


def ensure_queue(
    name: str,
    *,
    visibility: int = 30,
    dead_letters: str | None = None,
    receives: int = MAX_RECEIVES,
    fed_by: Sequence[str] = (),
) -> str:
    """A queue, its dead letters and the buckets that may write to it; returns its ARN."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    attributes = {"VisibilityTimeout": str(visibility), "MessageRetentionPeriod": str(RETENTION_SECONDS)}
    if dead_letters:
        redrive = {"deadLetterTargetArn": dead_letters, "maxReceiveCount": receives}
        attributes["RedrivePolicy"] = json.dumps(redrive)
    if fed_by:
        attributes["Policy"] = json.dumps(_may_send(buckets=fed_by, queue_arn=arn))
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)  # type: ignore[arg-type]
    return arn


def _may_send(*, buckets: Sequence[str], queue_arn: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": [f"arn:aws:s3:::{name}" for name in buckets]}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def ensure_bucket(name: str, *, versioned: bool, locked: bool = False) -> None:
    """A bucket that the console's pages may use through presigned URLs; object lock has to be there from the start."""
    s3 = aws.client("s3")
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {
        "AllowedOrigins": settings.CSRF_TRUSTED_ORIGINS,
        "AllowedMethods": ["GET", "HEAD", "PUT", "POST"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 3600,
    }
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [rule]})  # type: ignore[list-item]


def notify(bucket: str, queue_arn: str, *, of: str) -> None:
    """Every event of a kind in the bucket makes a message in the queue."""
    wanted = {"QueueArn": queue_arn, "Events": [of]}
    s3 = aws.client("s3")
    there = s3.get_bucket_notification_configuration(Bucket=bucket).get("QueueConfigurations", [])
    if [{key: entry.get(key) for key in wanted} for entry in there] != [wanted]:
        s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={"QueueConfigurations": [wanted]},  # type: ignore[list-item]
        )
