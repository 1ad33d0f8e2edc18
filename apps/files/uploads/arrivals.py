"""Whose an object is that arrived in the uploads bucket.

Of an announced upload only the first version under its key is taken, in the order of S3's versions, whatever the order
of their events: a URL gives one file, with the passphrase that it was announced with, and takes one quantum key. Later
ones are surplus, also after an abort. What nobody announced becomes a file of its own.
"""

import uuid

from apps.audit.records import Actor
from apps.audit.services import record
from apps.files import store
from apps.files.bodies import objects
from apps.files.bodies.objects import UPLOADS_PREFIX, ObjectGone, ObjectRef
from apps.files.records import File
from apps.files.states import FileStatus
from apps.files.trail import FileEvent
from apps.files.uploads import dropped
from apps.files.uploads.dropped import UNTOLD, Origin
from apps.jobs import services as jobs
from apps.jobs.records import JobState


def file_of(source: ObjectRef, origin: Origin = UNTOLD) -> File | None:
    """The record that an object belongs to; None where it is surplus."""
    if not source.key.startswith(UPLOADS_PREFIX):
        return dropped.file_of(source, origin)
    # Listed before the record is read: a first version that is encrypted and gone in between is in the record then
    arrived = list(objects.versions_of(source.bucket, source.key))
    file = store.find_file(source.key.removeprefix(UPLOADS_PREFIX))
    if file is None:
        return dropped.file_of(source, origin)
    taken = file.source.get("version", "")
    if taken and taken == source.version:
        return file
    if file.status is FileStatus.AWAITING_UPLOAD and _is_first(source, list(reversed(arrived))):
        return file
    return None


def _is_first(source: ObjectRef, oldest_first: list[ObjectRef]) -> bool:
    """Return whether no version came before, save such whose encryption was cancelled: their content is to come again."""
    before = oldest_first[: oldest_first.index(source)] if source in oldest_first else []
    return all(_is_cancelled(one) for one in before)


def _is_cancelled(source: ObjectRef) -> bool:
    job = jobs.get(job_id_of(source))
    return job is not None and job.state is JobState.CANCELLED


def job_id_of(source: ObjectRef) -> str:
    """The id of the one job that encrypts an object version, where that takes long."""
    return str(uuid.uuid5(dropped.NAMESPACE, f"encrypt {source.bucket}/{source.key}/{source.version}"))


def remove_surplus(source: ObjectRef, *, actor: Actor, origin: Origin = UNTOLD) -> None:
    """Remove an object that is no upload's; the audit entry is written first (I1). Idempotent."""
    try:
        size = objects.size_of(source)
    except ObjectGone:
        return
    file_id = source.key.removeprefix(UPLOADS_PREFIX)
    told = {"version": source.version, "size": size} | origin.as_detail()
    record(actor, FileEvent.SURPLUS_REMOVED, file_id=file_id, **told)
    objects.remove(source)
