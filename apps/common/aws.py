"""boto3 clients, one per service and process. Endpoints come from the SDK's own environment variables."""

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

from django.conf import settings

from apps.common import calls

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_making = threading.Lock()  # clients are safe to share between threads, making them is not


@overload
def client(service: Literal["s3"]) -> "S3Client": ...
@overload
def client(service: Literal["sqs"]) -> "SQSClient": ...
@overload
def client(service: Literal["sns"]) -> "SNSClient": ...
@overload
def client(service: Literal["events"]) -> Any: ...  # of which there are no stubs here
@overload
def client(service: Literal["kms"]) -> "KMSClient": ...
@overload
def client(service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["dynamodbstreams"]) -> "DynamoDBStreamsClient": ...
@cache
def client(service: Any) -> Any:
    """Return the process's client of a service, with time-outs that fit a Lambda."""
    import boto3  # noqa: PLC0415 - a tenth of a cold start, which the first call can wait for
    from botocore.config import Config  # noqa: PLC0415 - likewise

    from apps.common import whole_answers  # noqa: PLC0415 - likewise

    whole_answers.install()
    config = Config(
        connect_timeout=3,
        read_timeout=30,
        retries={"mode": "standard", "max_attempts": 4},
        s3={"addressing_style": "path" if settings.AWS_ENDPOINT_URL else "auto"},
        signature_version="s3v4" if service == "s3" else None,
    )
    with _making:
        made = boto3.client(service, region_name=settings.AWS_REGION, config=config)
    calls.listen(made)
    return made
