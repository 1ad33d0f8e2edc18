"""What interrupted work leaves behind, found and removed: parts, bodies, downloads, uploads that never came."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from apps.audit.records import SWEEPER, Actor
from apps.audit.services import record
from apps.common import aws, clock
from apps.common.sweeps import each
from apps.files import store
from apps.files.bodies import objects
from apps.files.bodies.objects import BODIES_PREFIX, CLIENT_BODIES_PREFIX, DOWNLOADS_PREFIX, ObjectRef
from apps.files.records import Document, Orphan, Upload
from apps.files.states import FileStatus
from apps.files.trail import FileEvent
from apps.files.uploads import attempts, giving_up
from apps.sessions import reservations
from apps.sessions.records import KeyPurpose

CLIENT_UPLOAD_SECONDS = 86_400  # for a client to finish a multipart upload, or to use its URL


def end_reservations(*, actor: Actor) -> int:
    """End attempts that never came back, their bodies with them; returns how many."""
    stale = reservations.stale_reservations()
    files = [key for key in stale if key.purpose is KeyPurpose.FILE]
    others = [key for key in stale if key.purpose is not KeyPurpose.FILE]
    return each(files, lambda key: attempts.end(key, actor=actor)) + reservations.discard(others, actor=actor)


def abort_stale_uploads() -> int:
    """Abort multipart uploads that nobody will complete, so that their parts do not stay for ever."""
    ours, clients = clock.ago(reservations.RESERVED_SECONDS), clock.ago(CLIENT_UPLOAD_SECONDS)
    limits = [
        (settings.ENCRYPTED_BUCKET, BODIES_PREFIX, ours),
        (settings.ENCRYPTED_BUCKET, CLIENT_BODIES_PREFIX, clients),
        (settings.DOWNLOADS_BUCKET, "", ours),
        (settings.UPLOADS_BUCKET, "", clients),
    ]
    return sum(_abort_before(bucket, prefix, moment) for bucket, prefix, moment in limits)


def _abort_before(bucket: str, prefix: str, moment: datetime) -> int:
    s3 = aws.client("s3")
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    stale = [one for page in pages for one in page.get("Uploads", []) if one["Initiated"] < moment]
    return each(
        stale,
        lambda one: s3.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"]),
    )


def remove_downloads() -> int:
    """Remove decrypted copies whose URL has ended, with time for a transfer that began before."""
    ended = clock.ago(settings.PRESIGNED_SECONDS + reservations.RESERVED_SECONDS)
    old = objects.versions_before(settings.DOWNLOADS_BUCKET, ended, prefix=DOWNLOADS_PREFIX)

    def remove(copy: ObjectRef) -> None:
        record(SWEEPER, FileEvent.COPY_REMOVED, copy=copy.key)
        objects.remove(copy)

    return each(old, remove)


def give_up_uploads(*, actor: Actor) -> int:
    """Reject announcements whose upload never came; returns how many.

    One whose object is there stays, however late it is encrypted: its client was told that it arrived.
    """
    late_ones = uploads_that_never_came(clock.ago(CLIENT_UPLOAD_SECONDS))
    waiting = (upload for upload in late_ones if not _has_arrived(upload))
    late = "Nothing was uploaded in time."

    def give_up(upload: Upload) -> None:
        giving_up.give_up(upload, reason=giving_up.CANCELLED if upload.reason else late, actor=actor)

    return each(waiting, give_up)


def _has_arrived(upload: Upload) -> bool:
    """Return whether the bytes of an upload wait to be encrypted; not of one whose encryption was cancelled."""
    if upload.status is not FileStatus.AWAITING_UPLOAD or upload.reason:
        return False
    source = ObjectRef.of(upload.source)
    return any(objects.versions_of(source.bucket, source.key))


def uploads_that_never_came(moment: datetime) -> list[Upload]:
    """Announcements from before a moment whose upload is still awaited."""
    return [
        upload
        for status in (FileStatus.AWAITING_UPLOAD, FileStatus.AWAITING_BODY)
        for upload in store.uploads_before(status, moment)
    ]


def orphans_from_before(moment: datetime) -> Iterator[Orphan]:
    """Bodies given up before a moment that are not removed yet."""
    return store.orphans_before(moment)


def documents_on_the_move() -> list[Document]:
    """Documents that move to or from cold storage."""
    states = (FileStatus.ARCHIVING, FileStatus.RECALLING)
    return [document for status in states for document in store.documents_in(status)]
