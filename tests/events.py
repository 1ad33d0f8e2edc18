"""Events of AWS's shape for what stands in the tables and buckets of a test."""

from typing import Any
from urllib.parse import quote_plus

from django.conf import settings

from apps.common.aws import client
from apps.files.bodies.objects import UPLOADS_PREFIX

STREAM_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/qkd-local-sessions/stream/2026-01-01T00:00:00.000"


def stream_insert(*session_ids: str) -> dict[str, Any]:
    """A batch of the sessions table's stream: these sessions were inserted."""
    return {"Records": [_inserted(number, session_id) for number, session_id in enumerate(session_ids, 1)]}


def _inserted(number: int, session_id: str) -> dict[str, Any]:
    key = {"session_id": {"S": session_id}}
    return {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": STREAM_ARN,
        "dynamodb": {
            "ApproximateCreationDateTime": 1_790_000_000,
            "Keys": key,
            "NewImage": {**key, "status": {"S": "pending"}},
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def upload_created(file_id: str, *, version: str | None = None) -> dict[str, Any]:
    """S3's event for the latest (or a given) version of a registered upload."""
    return object_created(UPLOADS_PREFIX + file_id, version=version)


def body_thawed(key: str) -> dict[str, Any]:
    """S3's event for an encrypted body that can be read again, as AWS documents it."""
    event = object_created(key, version="1")
    [record] = event["Records"]
    record["eventName"] = "ObjectRestore:Completed"
    record["s3"]["bucket"]["name"] = settings.ENCRYPTED_BUCKET
    record["glacierEventData"] = {
        "restoreEventData": {
            "lifecycleRestorationExpiryTime": "2026-01-03T00:00:00.000Z",
            "lifecycleRestoreStorageClass": "GLACIER",
        }
    }
    return event


def object_created(key: str, *, version: str | None = None) -> dict[str, Any]:
    """S3's event for an object of the uploads bucket; S3 quotes keys there like a form."""
    bucket = settings.UPLOADS_BUCKET
    if version is None:
        version = client("s3").head_object(Bucket=bucket, Key=key)["VersionId"]
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2026-01-01T00:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "EXAMPLE"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": "EXAMPLE", "x-amz-id-2": "EXAMPLE"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "uploads",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "EXAMPLE"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(key, safe="/"),
                        "size": 0,
                        "eTag": "0",
                        "versionId": version,
                        "sequencer": "0",
                    },
                },
            }
        ]
    }
