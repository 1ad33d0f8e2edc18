"""Short-lived copies of a file behind a URL: for what is too large to be answered."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.audit.records import Actor
from apps.files.bodies import objects
from apps.files.bodies.objects import DOWNLOADS_PREFIX
from apps.files.bodies.writer import ObjectWriter
from apps.files.reading import content


@dataclass(frozen=True, slots=True)
class Download:
    """Where to GET the plaintext, until when."""

    url: str
    expires_at: datetime


def publish(file_id: str, *, actor: Actor, passphrase: str | None = None) -> Download:
    """Decrypt to a short-lived object behind a presigned URL: for what is too large to be answered.

    The sweep removes the object when the URL has ended, a lifecycle rule whatever is left after a day.

    Raises:
        as ``content.read``; a package that turns out damaged on the way leaves no object.
    """
    file, plaintext = content.read(file_id, actor=actor, passphrase=passphrase)
    with ObjectWriter(settings.DOWNLOADS_BUCKET, f"{DOWNLOADS_PREFIX}{uuid.uuid4()}") as sink:
        for piece in plaintext:
            sink.write(memoryview(piece))
    assert sink.ref is not None  # noqa: S101 - the block ended well
    return Download(
        objects.presign_get(sink.ref, name=file.name, media_type=file.media_type), objects.url_end()
    )
