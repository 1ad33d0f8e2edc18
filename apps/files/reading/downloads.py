"""Parts of a file, and short-lived copies of it behind a URL: for what is too large to be answered."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.conf import settings

from apps.audit.records import Actor
from apps.common.errors import Invalid
from apps.files import services
from apps.files.bodies import objects
from apps.files.bodies.objects import DOWNLOADS_PREFIX, ObjectGone, ObjectRef
from apps.files.bodies.writer import ObjectWriter
from apps.files.reading import content
from apps.files.records import File
from qkdseal import body
from qkdseal.errors import PackageInvalid


class RangeNotSatisfiable(Invalid):
    """The bytes asked for do not lie within the file."""

    status = 416
    type = "range-not-satisfiable"
    title = "The file has no such bytes"


def read_range(
    file_id: str, *, start: int, stop: int, actor: Actor, passphrase: str | None = None
) -> tuple[File, bytes]:
    """``plaintext[start:stop]``; of the body only the chunks that hold it are fetched.

    Raises:
        as ``content.release``; FileDamaged also where those chunks are not whole and unchanged.
        RangeNotSatisfiable: it does not lie within the file.
    """
    size = services.find(file_id, actor=actor).size or 0
    if not 0 <= start < stop <= size:
        raise RangeNotSatisfiable(f"The file has {size} bytes; {start} to {stop} is not a part of it.")
    file, key, context = content.release(file_id, actor=actor, passphrase=passphrase, start=start, stop=stop)
    read_at = partial(objects.part_of, ObjectRef.of(file.body))
    wanted = {"start": start, "stop": stop, "size": file.size or 0}
    try:
        return file, body.decrypt_range(read_at, key=key, context=context, **wanted)
    except (ObjectGone, PackageInvalid, ValueError):
        raise content.report_unopened(file, actor) from None


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
        objects.presigned_get(sink.ref, name=file.name, media_type=file.media_type), objects.url_end()
    )
