"""A stage for functions: the environment that they are given, over an embedded AWS with its tables, buckets and queues."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.common.aws import client
from tests.embedded import on_embedded_aws

SERVICES = "dynamodb,dynamodbstreams,s3,sqs,sns,sts,kms,secretsmanager"
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
