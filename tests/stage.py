"""A stage for functions: the environment that they are given, over an embedded AWS with its tables, buckets and queues."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.common.aws import client
from tests.embedded import on_embedded_aws
from tests.events import stream_insert
from tests.function import Function

SERVICES = "dynamodb,dynamodbstreams,s3,sqs,sns,sts,kms,secretsmanager"
REFILL = {
    "source": "aws.events",
    "resources": ["arn:aws:events:us-east-1:1:rule/qkd-dev-qkdplatform.schedules.refill"],
}
HOST = "abc.execute-api.us-east-1.amazonaws.com"
GIVEN = (
    *("TABLE_PREFIX", "UPLOADS_BUCKET", "ENCRYPTED_BUCKET", "DOWNLOADS_BUCKET", "EXPORTS_BUCKET"),
    *("CHECKPOINTS_BUCKET", "JOBS_QUEUE", "CUSTODY_QUEUE", "UPLOAD_EVENTS_QUEUE", "DEAD_LETTER_QUEUE"),
    *("API_KEY_PEPPER", "AUDIT_KEY", "RECORD_KEY", "METADATA_KEY", "POOL_LOW_WATER"),
)


@contextmanager
def embedded_stage(folder: Path) -> Iterator[dict[str, str]]:
    """Everything that a function needs, made for as long as the block."""
    with on_embedded_aws(folder / "aws", services=SERVICES):
        root = client("kms").create_key()["KeyMetadata"]["KeyId"]
        yield {
            **{name: str(getattr(settings, name)) for name in GIVEN},
            "QKD_STAGE": "dev",
            "DJANGO_SECRET_KEY": settings.SECRET_KEY,
            "ROOT_KEY": f"kms:{root}",
            "DATABASE_URL": f"sqlite:///{folder}/console.sqlite3",
            "BASE_URL": f"https://{HOST}",
            "ALLOWED_HOSTS": HOST,
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "METRICS": "off",
        }


def request(method: str, path: str, *, key: str = "", body: str | None = None) -> dict[str, Any]:
    """What API Gateway sends for a request."""
    headers = {"Host": [HOST], "X-Forwarded-Proto": ["https"], "Content-Type": ["application/json"]}
    if key:
        headers["X-API-Key"] = [key]
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {name: values[0] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "requestContext": {"path": path, "stage": "dev", "identity": {"sourceIp": "192.0.2.1"}},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "body": body,
        "isBase64Encoded": False,
    }


def filled(function: Function) -> str:
    """Fill the stage by the commands and events of a deployment; the API key of its first operator."""
    for command in ("migrate", "bootstrap"):
        told = function.send({"manage": command}).value
        if not told.get("ok"):
            raise ValueError(f"{command}: {told}")
    function.send(REFILL)
    function.send(stream_insert(*_pending()))  # of the table's stream, which nobody delivers here
    return str(json.loads(told["output"])["api_key"])


def _pending() -> list[str]:
    pages = client("dynamodb").get_paginator("scan").paginate(TableName=f"{settings.TABLE_PREFIX}-sessions")
    return [
        row["session_id"]["S"] for page in pages for row in page["Items"] if row["status"]["S"] == "pending"
    ]
