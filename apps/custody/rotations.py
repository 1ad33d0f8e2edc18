"""The work of a rotation: its files are re-wrapped under another key, then the old one expires.

Each step is recorded before the next, so that whatever ends a worker, another continues and passes over what is
done. Not a byte of a body is read or written.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import partial

from django.conf import settings

from apps.audit.records import Actor
from apps.common import clock
from apps.common.dynamodb import pages
from apps.common.errors import Refused
from apps.custody.lanes import Lanes
from apps.custody.pace import Pace
from apps.files.keys import rewrap
from apps.files.records import File
from apps.jobs import services as jobs
from apps.jobs.records import Job, JobState
from apps.jobs.running import Work
from apps.keys import rotation, seeds, slots
from apps.keys import services as keys
from apps.keys.records import (
    IllegalTransition,
    KeyUnusable,
    PoolKey,
    Rotation,
    RotationChanged,
    RotationStatus,
)

SETTLE_SECONDS = 60  # an index shows a file this long after its commit at the latest; usual is well below one
DAMAGED_SHOWN = 100  # ids of files that do not open, kept with the job


class FilesDamaged(Refused):
    """Some files do not open with the old key, so it cannot expire."""


class Stage(StrEnum):
    """How far a rotation is."""

    MOVING = "moving"  # files still need the old key
    SETTLING = "settling"  # none that the index shows, which may lag
    DONE = "done"


def run(work: Work, *, actor: Actor) -> bool:
    """Work on a job for a while; return whether it is done.

    Raises:
        JobCancelled: someone asked for that.
        FilesDamaged: all others have moved.
        KeyUnusable, PoolEmpty: the old key does not open, or there is no new one.
    """
    found = rotation.find(str(work.job.parameters["rotation_id"]))
    if found.status is RotationStatus.DONE:
        return True
    source = keys.find(found.old_key_id)
    done = int(work.job.done)
    damaged: list[str] = []
    if int(work.job.total) <= done:  # not counted yet, or more than is counted at a time
        work.count(done + rewrap.waiting_count(source.key_id))

    def settle(ended: Iterable[tuple[Rotation, rewrap.Rewrapped]]) -> None:
        nonlocal found, done
        for found_then, moved in ended:
            found = found_then  # with the key that its files go to
            done += moved.count
            damaged.extend(moved.damaged)
            work.report(done=done, results={"damaged": damaged[:DAMAGED_SHOWN]})
            lanes.keep_pace(moved.count)

    lanes = Lanes[tuple[Rotation, rewrap.Rewrapped]](Pace(settings.REWRAP_PER_SECOND, sleep=work.pause))
    handed_over = False
    with lanes:
        for batch in pages(lambda at: rewrap.waiting(source.key_id, position=at)):
            damaged += batch.left_out
            settle(lanes.begin(partial(_move, batch.records, source, found, actor)))
            if work.must_hand_over:
                handed_over = True
                break
        settle(lanes.rest())
    if handed_over or lanes.is_refused:
        return False
    if damaged:
        raise FilesDamaged(
            f"{len(damaged)} files do not open with {source.key_id}, which stays. The job's results name them."
        )
    return advance(found, actor=actor) is not Stage.MOVING


def _move(
    batch: list[File], source: PoolKey, found: Rotation, actor: Actor
) -> tuple[Rotation, rewrap.Rewrapped]:
    """Re-wrap a batch under the new key; if that was rotated itself meanwhile, under the one chosen then."""
    found, target = rotation.target_of(found, actor=actor)
    seeds.check_halves(target)  # nothing is sealed to a key that cannot open it
    try:
        return found, rewrap.rewrap_files(batch, source=source, target=target, actor=actor)
    except KeyUnusable:
        found, other = rotation.target_of(found, actor=actor)
        if other.key_id == target.key_id:  # still active: one of the two keys is damaged
            raise
        seeds.check_halves(other)
        return found, rewrap.rewrap_files(batch, source=source, target=other, actor=actor)


def advance(found: Rotation, *, actor: Actor) -> Stage:
    """Finish a rotation, and with it the old key, once no file needs that (I5).

    Files are committed under active keys only, so that SETTLE_SECONDS after the key was taken out of use, and its
    slots were closed, the index has shown all there are.

    Raises:
        PoolEmpty: no file had to move, and there is no key that could be named as the successor.
    """
    if slots.close(found.old_key_id, actor=actor):  # left open by who was interrupted
        return Stage.SETTLING
    # Before the key's age: a file that the index shows needs another slice of work, whatever the age
    if rewrap.is_needed(found.old_key_id):
        return Stage.MOVING
    old = keys.find(found.old_key_id)
    if old.changed_at is not None and clock.is_recent(old.changed_at, seconds=SETTLE_SECONDS):
        return Stage.SETTLING
    try:
        rotation.finish(found, old, actor=actor)
    except (RotationChanged, IllegalTransition):  # another worker, or a revocation, was faster
        done = rotation.find(found.rotation_id).status is RotationStatus.DONE
        return Stage.DONE if done else Stage.SETTLING
    return Stage.DONE


def active_job(found: Rotation) -> Job | None:
    """The job that waits or works on a rotation, if there is one."""
    job = _job_of(found)
    return None if job is None or job.state.ended else job


def is_held(found: Rotation) -> bool:
    """Return whether the sweep leaves a rotation alone: its job is at work, failed, or was cancelled."""
    job = _job_of(found)
    return job is not None and job.state is not JobState.SUCCEEDED


def waits_for_a_person(found: Rotation) -> bool:
    """Return whether a rotation goes on only once somebody resumes it: its job failed or was cancelled."""
    job = _job_of(found)
    return job is not None and job.state in {JobState.FAILED, JobState.CANCELLED}


def _job_of(found: Rotation) -> Job | None:
    return jobs.get(found.job_id) if found.job_id else None
