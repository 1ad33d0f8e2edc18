"""URLs that give one object, or take one, for a short time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.http import content_disposition_header

from apps.common import aws, clock
from apps.files import names
from apps.files.bodies.objects import ObjectRef


def end() -> datetime:
    """When a URL presigned now ends."""
    return clock.now() + timedelta(seconds=settings.PRESIGNED_SECONDS)


def put_url(bucket: str, key: str, *, metadata: Mapping[str, str] | None = None) -> str:
    """A URL to which one object can be PUT for a short time; with the headers of ``metadata``, where there is some."""
    told = {"Metadata": dict(metadata)} if metadata else {}
    return aws.client("s3").generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": key, **told}, ExpiresIn=settings.PRESIGNED_SECONDS
    )


def form(bucket: str, key: str, *, limit: int) -> dict[str, Any]:
    """A form (URL and fields) with which one object of at most ``limit`` bytes can be POSTed for a short time."""
    return aws.client("s3").generate_presigned_post(
        bucket,
        key,
        Conditions=[["content-length-range", 0, limit]],
        ExpiresIn=settings.PRESIGNED_SECONDS,
    )


def get_url(ref: ObjectRef, *, name: str, media_type: str, encoding: str | None = None) -> str:
    """A URL from which an object can be downloaded under its name for a short time."""
    return aws.client("s3").generate_presigned_url(
        "get_object",
        Params=ref.arguments()
        | {
            "ResponseContentDisposition": disposition_of(name),
            "ResponseContentType": media_type,
        }
        | ({"ResponseContentEncoding": encoding} if encoding else {}),
        ExpiresIn=settings.PRESIGNED_SECONDS,
    )


def disposition_of(name: str) -> str:
    """The header under which a browser saves a file; a name of before the rules is cleaned."""
    return content_disposition_header(as_attachment=True, filename=names.clean(name)) or ""
