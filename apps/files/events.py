"""S3 events of the uploads bucket (C1)."""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.data_classes import S3Event

from apps.files import pipeline
from apps.files.objects import ObjectRef
from apps.files.tasks import ENCRYPTOR, encrypt_later


def handle_uploads(event: Mapping[str, Any]) -> None:
    """Encrypt every object that the event names; raises if one fails, and AWS delivers the event again."""
    failures: list[Exception] = []
    for record in S3Event(dict(event)).records:
        if not record.event_name.startswith("ObjectCreated:"):
            continue
        found = record.s3.get_object
        source = ObjectRef(record.s3.bucket.name, found.key, found.version_id or "")
        try:
            pipeline.encrypt_uploaded(source, actor=ENCRYPTOR, later=encrypt_later)
        except Exception as error:  # noqa: BLE001 - the other objects of the event are done first
            failures.append(error)
    if failures:
        raise ExceptionGroup("uploads were not encrypted", failures)
