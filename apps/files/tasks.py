"""Encrypting and decrypting in the background what takes longer than a caller, or a Lambda, may wait."""

import uuid
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from apps.audit.records import Actor, system
from apps.common import clock
from apps.common.errors import Refused
from apps.files import services
from apps.files.bodies.objects import ObjectRef
from apps.files.job_kinds import FileJob
from apps.files.life import checking, reconciling
from apps.files.reading import content, downloads
from apps.files.records import Document, File, Upload
from apps.files.uploads import arrivals, dropped, giving_up, pipeline
from apps.files.uploads.dropped import Origin
from apps.jobs import services as jobs
from apps.jobs.control import JobCancelled
from apps.jobs.records import Job, JobState
from apps.jobs.running import Work, job_task

Step = Callable[..., reconciling.Found]
MIB = 2**20
REPORTED_MIB = 64
REPORTED_MISSING = 100  # ids of files, in a job's results
CHECKER = system("checker")
ENCRYPTOR = system("encryptor")
DECRYPTOR = system("decryptor")


def encrypt_later(source: ObjectRef, file: Upload, size: int, origin: Origin) -> str | None:
    """Encrypt an upload in the background: one job for each object version, whose progress its owner sees.

    Returns:
        why the upload is given up instead: its encryption was cancelled a day ago, and nothing came since.
    """
    job = jobs.enqueue_once(
        FileJob.ENCRYPT_UPLOAD,
        job_id=arrivals.job_id_of(source),
        total=-(-size // MIB),
        parameters=source.as_document() | origin.as_detail() | {"file_id": file.file_id},
        actor=ENCRYPTOR,
        owner=file.owner,
    )
    if job.state is not JobState.CANCELLED or job.ended_at is None:
        return None
    # Again, as a job that was cancelled while it waited has no worker that could
    giving_up.note_cancelled(file.file_id, source, actor=ENCRYPTOR)
    return giving_up.CANCELLED if job.ended_at < clock.ago(giving_up.KEPT_SECONDS) else None


@job_task(FileJob.ENCRYPT_UPLOAD, failure="The upload could not be encrypted; it is tried again.")
def encrypt_upload(work: Work) -> bool:
    """Encrypt a job's upload from its beginning; the sweep queues one again whose worker was killed or failed.

    Cancelled on its way, the attempt ends: its parts are aborted, its quantum key is discarded. The plaintext stays
    for a day, and the file awaits its upload, with the reason; the sweep does not start it against the cancellation.
    Content that is uploaded again in that time is encrypted by a job of its own; else the upload is rejected.
    """
    told = work.job.parameters
    source = ObjectRef.of(told)
    try:
        work.report(done=0)
        pipeline.encrypt_uploaded(
            source,
            actor=ENCRYPTOR,
            origin=Origin(told.get("uploaded_by", ""), told.get("uploaded_from", "")),
            progress=lambda done: work.report(done=done // MIB),
        )
    except JobCancelled:
        giving_up.note_cancelled(str(work.job.parameters["file_id"]), source, actor=ENCRYPTOR)
        raise
    return work.complete(done=int(work.job.total))


def decrypt_later(file: File, actor: Actor) -> Job:
    """Have a file's decrypted copy made: by one job for each that asks, while there is no copy.

    Raises:
        Refused: the job failed a while ago; why.
    """
    for attempt in count():
        # A window of time in the id, as a copy does not last: the job of the window before may be under way still
        windows = [int(clock.now().timestamp()) // downloads.REUSED_SECONDS - back for back in (1, 0)]
        name = f"{actor}|{downloads.copy_of(file).key}|{attempt}"
        before, now = (str(uuid.uuid5(dropped.NAMESPACE, f"{name}|{window}")) for window in windows)
        if (under_way := jobs.get(before)) is not None and not under_way.state.ended:
            return under_way
        job = jobs.enqueue_once(
            FileJob.DECRYPT_DOWNLOAD,
            job_id=now,
            total=-(-(getattr(file, "size", 0) or 0) // MIB),
            parameters={"file_id": file.file_id, "copy": downloads.copy_of(file).key},
            actor=actor,
        )
        if job.state is JobState.FAILED:
            raise Refused(job.error or "The file could not be decrypted. Try again later.")
        if job.state is not JobState.CANCELLED:
            return job
    raise AssertionError  # the numbers do not end


@job_task(FileJob.DECRYPT_DOWNLOAD, failure="The file could not be decrypted. Ask again later.")
def decrypt_download(work: Work) -> bool:
    """Make the decrypted copy of a job's file, for whoever asked; the audit entry is written first (I1)."""
    work.report(done=0)
    file = services.find(str(work.job.parameters["file_id"]), actor=DECRYPTOR)
    if isinstance(file, Upload) or downloads.copy_of(file).key != work.job.parameters["copy"]:
        raise Refused("The file was changed after it was asked for. Ask again.")
    if not downloads.is_there(file):
        released = content.release(
            file, actor=DECRYPTOR, purpose="download", asked_by=work.job.owner, job_id=work.job.job_id
        )
        downloads.write_copy(released, actor=DECRYPTOR, progress=lambda done: _report_mib(work, done))
    return work.complete(done=int(work.job.total))


def _report_mib(work: Work, done: int) -> None:
    if done // MIB >= int(work.job.done) + REPORTED_MIB:
        work.report(done=done // MIB)
    else:
        work.heartbeat()


def check_later(document: Document) -> Job:
    """The job, not recorded yet, that reads a finished file's body to its end."""
    return jobs.new(FileJob.CHECK_BODY, **_check_of(document))


def check_again(document: Document) -> None:
    """Start the check of a body again where it failed, or was lost; one that was cancelled stays so."""
    jobs.enqueue_once(FileJob.CHECK_BODY, **_check_of(document))


def _check_of(document: Document) -> dict[str, Any]:
    return {
        "job_id": str(uuid.uuid5(dropped.NAMESPACE, f"check {document.file_id}")),
        "total": -(-(document.size or 0) // MIB),
        "parameters": {"file_id": document.file_id},
        "actor": CHECKER,
        "owner": document.owner,
    }


@job_task(FileJob.CHECK_BODY, failure="The body could not be read; it is tried again.")
def check_body(work: Work) -> bool:
    """Read a body to its end, and record what was found; cancelled, its digest stays the client's own."""
    work.report(done=0)
    file_id = str(work.job.parameters["file_id"])
    checking.check(file_id, actor=CHECKER, progress=lambda done: _report_mib(work, done))
    return work.complete(done=int(work.job.total))


def reconcile_daily() -> int:
    """Start the day's comparison of bucket and records; returns how many were started."""
    today = f"{clock.now():%Y-%m-%d}"
    job_id = str(uuid.uuid5(dropped.NAMESPACE, f"reconcile|{today}"))
    if jobs.get(job_id) is not None:
        return 0
    jobs.enqueue_once(
        FileJob.RECONCILE_BODIES, job_id=job_id, total=0, parameters={"day": today}, actor=CHECKER
    )
    return 1


@job_task(FileJob.RECONCILE_BODIES, failure="The bodies could not be compared to the end.")
def reconcile_bodies(work: Work) -> bool:
    """Go through the bucket, then through the records, and go on where an earlier worker ended."""
    steps: dict[str, Step] = {
        "bucket": reconciling.remove_unnamed,
        "records": partial(reconciling.report_missing, unchecked=check_again),
    }
    told: dict[str, Any] = {"phase": "bucket", "after": "", "removed": 0, "missing": []} | dict(
        work.job.results
    )
    while told["phase"] in steps:
        found = steps[told["phase"]](told["after"], actor=CHECKER)
        told["removed"] += found.removed
        told["missing"] = [*told["missing"], *found.missing][:REPORTED_MISSING]
        told["after"] = found.after or ""
        if found.after is None:
            told["phase"] = "records" if told["phase"] == "bucket" else "done"
        work.report(done=int(work.job.done) + found.removed + len(found.missing), results=dict(told))
    if told["missing"]:
        raise reconciling.BodiesMissing(
            "Some bodies are missing or not whole. The job's results name their files."
        )
    return True
