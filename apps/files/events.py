"""S3's events: objects that arrive in the uploads bucket (C1), and bodies that are back from cold storage (E6)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.data_classes.s3_event import S3EventRecord
from django.conf import settings

from apps.audit.records import SWEEPER
from apps.common.sweeps import each
from apps.files.bodies.objects import ObjectRef
from apps.files.life import archive
from apps.files.tasks import ENCRYPTOR, encrypt_later
from apps.files.uploads import pipeline
from apps.files.uploads.dropped import Origin


class ForeignBucket(Exception):
    """The event tells of a bucket whose objects are not uploads: encrypting them would remove them."""


def handle_uploads(event: Mapping[str, Any]) -> None:
    """Encrypt every object that arrived, and go on with every recall whose body can be read.

    Raises if one fails, and AWS delivers the event again.
    """
    each(list(S3Event(dict(event)).records), _handle)


def _handle(record: S3EventRecord) -> None:
    if record.event_name.startswith("ObjectCreated:"):
        _encrypt(record)
    elif (
        record.event_name == "ObjectRestore:Completed" and record.s3.bucket.name == settings.ENCRYPTED_BUCKET
    ):
        archive.resume_thawed(unquote_plus(record.s3.get_object.key), actor=SWEEPER)


def _encrypt(record: S3EventRecord) -> None:
    bucket, found = record.s3.bucket.name, record.s3.get_object
    if bucket != settings.UPLOADS_BUCKET:
        raise ForeignBucket(bucket)
    # As S3 writes keys into events: quoted like a form
    source = ObjectRef(bucket, unquote_plus(found.key), found.version_id or "")
    pipeline.encrypt_uploaded(source, actor=ENCRYPTOR, origin=_origin(record), later=encrypt_later)


def _origin(record: S3EventRecord) -> Origin:
    """Who wrote the object: "AWS:AIDAEXAMPLE", or the account's own id; the address is the writer's, of a URL as of a key.

    An event that does not tell, such as one that an operator sends again by hand, is no reason to leave an upload.
    """
    writer: Mapping[str, Any] = record.get("userIdentity") or {}
    parameters: Mapping[str, Any] = record.get("requestParameters") or {}
    return Origin(str(writer.get("principalId", "")), str(parameters.get("sourceIPAddress", "")))
