"""Short-lived copies of a file behind a URL: for what is too large to be answered.

A copy lies under a key that follows from the encrypted body, so that whoever may read the file, and asks while there is
one, is given the same; where it takes long to make, a job makes it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.audit.records import Actor
from apps.common import clock
from apps.files import services
from apps.files.bodies import objects, presigned
from apps.files.bodies.objects import DOWNLOADS_PREFIX, ObjectRef
from apps.files.bodies.writer import ObjectWriter
from apps.files.reading import content
from apps.files.reading.content import Released
from apps.files.records import File
from apps.jobs.records import Job

REUSED_SECONDS = 1800  # from the copy's writing; with the life of a URL less than until its removal
Progress = Callable[[int], object]
Later = Callable[[File, Actor], Job]


@dataclass(frozen=True, slots=True)
class Download:
    """Where to GET the plaintext, until when; or the job that makes the copy."""

    url: str | None = None
    expires_at: datetime | None = None
    job_id: str | None = None
    found: bool = False  # a copy that was there


def publish(
    file_id: str, *, actor: Actor, passphrase: str | None = None, later: Later | None = None
) -> Download:
    """Give a presigned URL of a decrypted copy, which is made unless it is there.

    Args:
        file_id: of the file.
        actor: who reads; the audit entry is written first (I1).
        passphrase: where one is part of the key. It is kept nowhere, so that no job can make such a copy.
        later: has a copy over ``DOWNLOAD_AT_ONCE_BYTES`` made by a job; without it the caller waits.

    Raises:
        as ``content.release`` and ``write_copy``.
    """
    file = services.find(file_id, actor=actor)
    released = content.release(file, actor=actor, passphrase=passphrase, purpose="download")
    if passphrase is not None:  # of a wrong one only the body tells
        content.check_opens(released, actor=actor)
    if is_there(file):
        return _link(file, found=True)
    large = content.size_of(file) > settings.DOWNLOAD_AT_ONCE_BYTES
    if large and passphrase is None and later is not None:
        return Download(job_id=later(file, actor).job_id)
    write_copy(released, actor=actor)
    return _link(file)


def copy_of(file: File) -> ObjectRef:
    """Where the decrypted copy of a file's present body lies."""
    name = "|".join((file.file_id, file.body["key"], file.body.get("version", "")))
    return ObjectRef(
        settings.DOWNLOADS_BUCKET, DOWNLOADS_PREFIX + hashlib.sha256(name.encode()).hexdigest()[:32]
    )


def is_there(file: File) -> bool:
    """Return whether a file's copy can be read for as long as a URL of it works."""
    stored_at = objects.stored_at(copy_of(file))
    return stored_at is not None and stored_at > clock.ago(REUSED_SECONDS)


def write_copy(released: Released, *, actor: Actor, progress: Progress | None = None) -> None:
    """Decrypt a file to its copy; the sweep removes that when its URLs have ended, a lifecycle rule after a day.

    Raises:
        FileDamaged, Invalid: the body turns out damaged on the way; there is no copy then.
    """
    place, done = copy_of(released.file), 0
    with ObjectWriter(place.bucket, place.key) as sink:
        for piece in content.decrypt(released, actor=actor):
            sink.write(memoryview(piece))
            done += len(piece)
            if progress is not None:
                progress(done)


def _link(file: File, *, found: bool = False) -> Download:
    url = presigned.get_url(
        copy_of(file), name=file.name, media_type=file.media_type, encoding=file.content_encoding
    )
    return Download(url, presigned.end(), found=found)
