"""What interrupted work leaves behind, found and removed: parts, bodies, downloads, uploads that never came."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from apps.audit.records import Actor, Event
from apps.audit.services import record, transaction
from apps.common import aws, clock
from apps.common.dynamodb import feed
from apps.common.sweeps import each
from apps.files import objects, store
from apps.files.objects import ObjectRef
from apps.files.pipeline import BODIES_PREFIX
from apps.files.records import File, FileStatus
from apps.files.services import DOWNLOADS_PREFIX
from apps.files.store import FileTable
from apps.sessions import services as sessions
from apps.sessions.records import KeyPurpose

CLIENT_UPLOAD_SECONDS = 86_400  # for a client to finish a multipart upload, or to use its URL


def end_reservations(*, actor: Actor) -> int:
    """End attempts that never came back: their bodies first, then the quantum keys they had reserved."""
    stale = sessions.stale_reservations()
    documents = {key.subject for key in stale if key.purpose is KeyPurpose.FILE}
    each(documents, lambda document_id: remove_unreferenced(document_id, actor=actor))
    return sessions.discard(stale, actor=actor)


def remove_unreferenced(document_id: str, *, actor: Actor) -> int:
    """Remove a document's bodies that no record names and no attempt can still be writing; returns how many."""
    old = clock.ago(sessions.RESERVED_SECONDS)
    found = list(
        objects.written_before(settings.ENCRYPTED_BUCKET, old, prefix=f"{BODIES_PREFIX}{document_id}/")
    )
    if not found:
        return 0
    named = {
        ObjectRef.of(body) for file in _contents(document_id) for body in (file.body, file.moved_from) if body
    }
    unreferenced = [body for body in found if body not in named]
    if unreferenced:
        record(actor, Event.BODY_REMOVED, file_id=document_id, keys=[body.key for body in unreferenced])
    return each(unreferenced, objects.remove)


def _contents(document_id: str) -> Iterator[File]:
    """A document and its earlier versions, each read consistently: an index may lag behind a replacement."""
    head = FileTable.find(document_id)
    if head is None:
        return
    yield head
    for number in range(1, head.version):
        earlier = FileTable.find(f"{document_id}.v{number}")
        if earlier is not None:
            yield earlier


def abort_stale_uploads() -> int:
    """Abort multipart uploads that nobody will complete, so that their parts do not stay for ever."""
    limits = {
        settings.ENCRYPTED_BUCKET: clock.ago(sessions.RESERVED_SECONDS),
        settings.DOWNLOADS_BUCKET: clock.ago(sessions.RESERVED_SECONDS),
        settings.UPLOADS_BUCKET: clock.ago(CLIENT_UPLOAD_SECONDS),
    }
    return sum(_abort_before(bucket, moment) for bucket, moment in limits.items())


def _abort_before(bucket: str, moment: datetime) -> int:
    s3 = aws.client("s3")
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
    stale = [one for page in pages for one in page.get("Uploads", []) if one["Initiated"] < moment]
    return each(
        stale,
        lambda one: s3.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"]),
    )


def remove_downloads() -> int:
    """Remove decrypted copies whose URL has ended, with time for a transfer that began before."""
    ended = clock.ago(settings.PRESIGNED_SECONDS + sessions.RESERVED_SECONDS)
    old = objects.written_before(settings.DOWNLOADS_BUCKET, ended, prefix=DOWNLOADS_PREFIX)
    return each(old, objects.remove)


def give_up_uploads(*, actor: Actor) -> int:
    """Reject announcements whose upload never came; returns how many."""
    moment = clock.ago(CLIENT_UPLOAD_SECONDS)
    waiting = [
        file
        for status in (FileStatus.AWAITING_UPLOAD, FileStatus.AWAITING_BODY)
        for file in store.in_status_before(status, moment)
    ]
    return each(waiting, lambda file: _give_up(file, actor))


def _give_up(file: File, actor: Actor) -> None:
    reason = "Nothing was uploaded in time."
    rejected = FileStatus.REJECTED
    with transaction(actor) as tx:
        tx.update(
            FileTable.of(file),
            [
                FileTable.status.set(rejected),
                FileTable.status_feed.set(feed(rejected, file.file_id)),
                FileTable.reason.set(reason),
            ],
            condition=FileTable.status == file.status,
        )
        tx.audit(Event.FILE_REJECTED, file_id=file.file_id, reason=reason)
