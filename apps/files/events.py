"""S3 events of the uploads bucket (C1)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.data_classes.s3_event import S3EventRecord
from django.conf import settings

from apps.common.sweeps import each
from apps.files.bodies.objects import ObjectRef
from apps.files.tasks import ENCRYPTOR, encrypt_later
from apps.files.uploads import pipeline


class ForeignBucket(Exception):
    """The event tells of a bucket whose objects are not uploads: encrypting them would remove them."""


def handle_uploads(event: Mapping[str, Any]) -> None:
    """Encrypt every object that the event names; raises if one fails, and AWS delivers the event again."""
    records = S3Event(dict(event)).records
    each([record for record in records if record.event_name.startswith("ObjectCreated:")], _encrypt)


def _encrypt(record: S3EventRecord) -> None:
    bucket, found = record.s3.bucket.name, record.s3.get_object
    if bucket != settings.UPLOADS_BUCKET:
        raise ForeignBucket(bucket)
    # As S3 writes keys into events: quoted like a form
    source = ObjectRef(bucket, unquote_plus(found.key), found.version_id or "")
    pipeline.encrypt_uploaded(source, actor=ENCRYPTOR, later=encrypt_later)
