"""Rotations carried out: every file moves off the old key, which then expires.

Each step is recorded before the next, so that whatever ends a worker, another goes on; what was done is passed
over. Of the body not a byte is read or written.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from apps.audit.records import Actor
from apps.common import clock
from apps.common.dynamodb import pages
from apps.common.errors import Refused
from apps.common.sweeps import each
from apps.files.keys import rewrap
from apps.files.records import File
from apps.jobs import services as jobs
from apps.jobs.records import Job, JobState
from apps.jobs.running import Work
from apps.keys import rotation as rotations
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.records import KeyState, KeyUnusable, PoolKey, Rotation, RotationStatus

SETTLE_SECONDS = 60  # an index shows a file this long after its commit at the latest; usual is well below one
SLICE_SECONDS = 600.0  # of work for one message: below the queue's visibility time-out
DAMAGED_SHOWN = 100  # ids of files that do not open, kept with the job


class FilesDamaged(Refused):
    """Some files do not open with the old key, so that it stays."""


@dataclass(slots=True)
class Pace:
    """Not more than so many files a second."""

    per_second: float
    sleep: Callable[[float], object] = time.sleep
    files: int = 0
    began: float = 0.0

    def after(self, count: int) -> None:
        """Wait until the files so far are not too many."""
        self.began = self.began or time.monotonic()
        self.files += count
        self.sleep(max(0.0, self.began + self.files / self.per_second - time.monotonic()))


def run(work: Work, *, actor: Actor) -> bool:
    """Work on a job for a while; return whether it is done.

    Raises:
        JobCancelled: someone asked for that.
        FilesDamaged: all others have moved.
        KeyUnusable, PoolEmpty: the old key does not open, or there is no new one.
    """
    rotation = rotations.find(str(work.job.parameters["rotation_id"]))
    if rotation.status is RotationStatus.DONE:
        return True
    source = keys.find(rotation.old_key_id)
    done, until = int(work.job.done), time.monotonic() + SLICE_SECONDS
    damaged: list[str] = []
    pace = Pace(settings.REWRAP_PER_SECOND, sleep=work.pause)
    for batch in pages(lambda at: rewrap.waiting(source.key_id, position=at)):
        moved = _moved(batch.records, source, rotation, actor)
        done += moved.count
        damaged += moved.damaged
        work.report(done=done, results={"damaged": damaged[:DAMAGED_SHOWN]})
        if time.monotonic() > until:
            return False
        pace.after(moved.count)
    if damaged:
        raise FilesDamaged(f"{len(damaged)} files do not open with key {source.key_id}.")
    return finish(rotation, actor=actor) or not rewrap.waiting_count(source.key_id)


def _moved(batch: list[File], source: PoolKey, rotation: Rotation, actor: Actor) -> rewrap.Moved:
    """Move a batch; should the new key be rotated itself meanwhile, to another one."""
    _, target = rotations.target_of(rotations.find(rotation.rotation_id), actor=actor)
    seeds.seed_of(target)  # its halves belong together: nothing is sealed to a key that could not open it
    try:
        return rewrap.move(batch, source=source, target=target, actor=actor)
    except KeyUnusable:
        if keys.find(target.key_id).state is KeyState.ACTIVE:
            raise
        _, target = rotations.target_of(rotations.find(rotation.rotation_id), actor=actor)
        seeds.seed_of(target)
        return rewrap.move(batch, source=source, target=target, actor=actor)


def finish(rotation: Rotation, *, actor: Actor) -> bool:
    """End the rotation, and with it the old key, once no file needs it (I5); whether that is so.

    Files are committed under active keys only, so that after SETTLE_SECONDS the index has shown all there are.
    """
    old = keys.find(rotation.old_key_id)
    if old.changed_at is not None and old.changed_at > clock.ago(SETTLE_SECONDS):
        return False
    if rewrap.waiting(old.key_id, limit=1).records:
        return False
    rotations.finish(rotations.find(rotation.rotation_id), actor=actor)
    return True


def to_work_on(*, actor: Actor) -> list[Rotation]:
    """Finish what only waited for the index; the rotations that need a job, the oldest first.

    One whose job failed or was cancelled waits until someone starts it again.
    """
    found: list[Rotation] = []

    def look(rotation: Rotation) -> None:
        job = _job_of(rotation)
        if job is not None and job.state is not JobState.SUCCEEDED:
            return
        if not finish(rotation, actor=actor) and rewrap.waiting(rotation.old_key_id, limit=1).records:
            found.append(rotation)

    each(rotations.unfinished(), look)
    return found


def _job_of(rotation: Rotation) -> Job | None:
    return jobs.known(rotation.job_id) if rotation.job_id else None


def check_startable(rotation: Rotation) -> None:
    """Whether a job may start on a rotation.

    Raises:
        Refused: it is done, or a job works on it.
    """
    if rotation.status is RotationStatus.DONE:
        raise Refused(f"Rotation {rotation.rotation_id} is done.")
    job = _job_of(rotation)
    if job is not None and not job.state.ended:
        raise Refused(f"Job {job.job_id} works on rotation {rotation.rotation_id} already.")
