"""Keys taken out of use, and the job that moves their files to other keys.

API, console and schedule call these functions, so that each starts the re-wrapping at once. Key, rotation and job
are written in one transaction; should the job's message be lost, the sweep sends it again.
"""

from contextlib import suppress
from dataclasses import dataclass

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common.errors import Refused
from apps.common.sweeps import each
from apps.custody import rotations
from apps.custody.job_kinds import CustodyJob
from apps.files.keys import rewrap
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.keys import policy, rotation, transitions
from apps.keys import services as keys
from apps.keys.records import (
    Policy,
    PoolKey,
    Rotation,
    RotationChanged,
    RotationNotFound,
    RotationStatus,
    rotation_id_of,
)


@dataclass(frozen=True, slots=True)
class Retired:
    """A key that seals nothing more, and the job that moves its files; None where none can be under it."""

    key: PoolKey
    job: Job | None


def rotate(key_id: str, *, reason: str, actor: Actor) -> Retired:
    """Seal nothing more to a key and start moving its files to another; what it sealed opens until then.

    Raises:
        KeyNotFound, IllegalTransition.
    """
    return _retire(key_id, "queue_rotation", reason=reason, actor=actor)


def revoke(key_id: str, *, reason: str, actor: Actor) -> Retired:
    """Mark a key as compromised, for good, and start moving its files to another.

    Raises:
        KeyNotFound, IllegalTransition.
    """
    return _retire(key_id, "revoke", reason=reason, actor=actor)


def _retire(key_id: str, name: str, *, reason: str, actor: Actor) -> Retired:
    key = keys.find(key_id)
    if not key.transition(name).opens_rotation:  # never used, or rotated before
        retired = transitions.commit(key, name, reason=reason, actor=actor)
        return Retired(retired, _resume(rotation_id_of(key_id), actor))
    job = _new_job(rotation_id_of(key_id), key_id, actor)
    # One transaction: a key is never out of use without a job, nor has a rotation two of them
    with transaction(actor) as tx:
        transitions.apply(tx, key, name, reason=reason, job_id=job.job_id)
        jobs.put(tx, job)
    keys.forget(key)
    jobs.dispatch(job)
    return Retired(keys.find(key_id), job)


def _resume(rotation_id: str, actor: Actor) -> Job | None:
    """The job that works on a rotation, started unless there is one; None where nothing is to be moved."""
    try:
        found = rotation.find(rotation_id)
    except RotationNotFound:  # it was never active
        return None
    if found.status is RotationStatus.DONE:
        return None
    try:
        return rotations.active_job(found) or _start(found, actor)
    except RotationChanged:  # someone else started one just now
        return rotations.active_job(rotation.find(rotation_id))


def start(rotation_id: str, *, actor: Actor) -> Job:
    """Start a job that moves the files of a rotation: of two callers at once, one does.

    Raises:
        RotationNotFound: no such rotation.
        Refused: it is done, or a job works on it already.
    """
    found = rotation.find(rotation_id)
    if found.status is RotationStatus.DONE:
        raise Refused(f"Rotation {rotation_id} is done.")
    job = rotations.active_job(found)
    if job is not None:
        raise Refused(f"Job {job.job_id} works on rotation {rotation_id} already.")
    return _start(found, actor)


def _start(found: Rotation, actor: Actor) -> Job:
    job = _new_job(found.rotation_id, found.old_key_id, actor)
    # Of two callers who read the same rotation, the second finds another job in it and writes nothing
    with transaction(actor) as tx:
        rotation.assign_job(tx, found, job_id=job.job_id)
        jobs.put(tx, job)
    jobs.dispatch(job)
    return job


def _new_job(rotation_id: str, key_id: str, actor: Actor) -> Job:
    return jobs.new(
        CustodyJob.REWRAP_FILES,
        total=rewrap.waiting_count(key_id),
        parameters={"rotation_id": rotation_id, "old_key_id": key_id},
        actor=actor,
    )


def start_waiting(*, actor: Actor) -> int:
    """Finish rotations that only waited for the index, and start those whose files wait; returns how many started.

    One whose job failed or was cancelled waits until someone starts it again.
    """
    started: list[Job] = []

    def go_on(found: Rotation) -> None:
        if rotations.is_held(found) or rotations.advance(found, actor=actor) is not rotations.Stage.MOVING:
            return
        with suppress(RotationChanged):  # someone else started it just now
            started.append(_start(found, actor))

    each(rotation.open_rotations(), go_on)
    return len(started)


def rotate_due(*, actor: Actor) -> int:
    """Rotate active keys that are too old or used too often (C5) and refill; returns how many were rotated."""
    try:
        return each(rotation.due_keys().items(), lambda due: rotate(due[0], reason=due[1], actor=actor))
    finally:
        keys.refill(actor=actor)


def raise_minimum(version: int, *, actor: Actor) -> Policy:
    """Take all keys below a version out of use: rotated here, refused when they are to open anything.

    Run again, it rotates what an interruption left.

    Raises:
        Invalid, Refused: as ``policy.raise_minimum``.
    """
    after = policy.read()
    if after.minimum != version:
        after = policy.raise_minimum(version, actor=actor)
    reason = f"below the minimum version {version}"
    each(rotation.outdated_keys(version), lambda key_id: rotate(key_id, reason=reason, actor=actor))
    keys.refill(actor=actor)
    return after
