"""Keys taken out of use, and the job that moves their files to other keys.

API, console and schedule call these functions, so that each starts the re-wrapping at once. Key, rotation and job
are written in one transaction; should the job's message be lost, the sweep sends it again.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.errors import Refused
from apps.common.sweeps import each
from apps.custody import counting, rotations
from apps.custody.job_kinds import CustodyJob
from apps.files.keys import rewrap
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.keys import policy, pools, rotation, slots, transitions
from apps.keys import services as keys
from apps.keys.pool_records import DEFAULT_POOL, Pool
from apps.keys.records import (
    IN_USE,
    KeyState,
    PoolKey,
    Rotation,
    RotationChanged,
    RotationNotFound,
    RotationStatus,
    rotation_id_of,
)
from apps.sessions.sealed_messages import count_messages_sealed_by


@dataclass(frozen=True, slots=True)
class Retired:
    """A key that seals nothing more, and the job that moves its files; None where none can be under it."""

    key: PoolKey
    job: Job | None


def rotate(key_id: str, *, reason: str, actor: Actor, below_low_water: bool = False) -> Retired:
    """Seal nothing more to a key and start moving its files to another; what it sealed opens until then.

    Args:
        key_id: of the key.
        reason: kept with the key and in the trail.
        actor: who acts.
        below_low_water: confirms that the pool may be left with too few active keys; it is refilled at once.

    Raises:
        KeyNotFound, IllegalTransition.
        Forbidden: the actor does not manage its pool.
        BelowLowWater: its pool would keep too few active keys, which is not confirmed.
    """
    return _retire(key_id, "queue_rotation", reason=reason, actor=actor, below_low_water=below_low_water)


def rotate_by_schedule(key_id: str, *, reason: str, actor: Actor) -> None:
    """Seal nothing more to a key; its files move once REWRAP_AFTER_DAYS are over (decision 37). Errors as ``rotate``."""
    key = keys.find(key_id)
    if not settings.REWRAP_AFTER_DAYS or key.version < pools.known().find(key.pool).minimum:
        rotate(key_id, reason=reason, actor=actor, below_low_water=True)
        return
    with transaction(actor) as tx:
        transitions.apply(tx, key, "queue_rotation", reason=reason, later=True)
    transitions.cut_off(key, actor=actor)
    keys.refill_after(key, actor=actor)


def revoke(key_id: str, *, reason: str, actor: Actor, below_low_water: bool = False) -> Retired:
    """Mark a key as compromised, for good, and start moving its files to another. Arguments and errors as ``rotate``."""
    return _retire(key_id, "revoke", reason=reason, actor=actor, below_low_water=below_low_water)


def _retire(key_id: str, name: str, *, reason: str, actor: Actor, below_low_water: bool) -> Retired:
    key = keys.find(key_id)
    opens_rotation = key.transition(name).opens_rotation
    keys.check_taken_away(key, actor=actor, below_low_water=below_low_water)
    if not opens_rotation:  # never used, or rotated before
        retired = transitions.commit(key, name, reason=reason, actor=actor)
        return Retired(retired, _resume(rotation_id_of(key_id), actor))
    job = _new_job(rotation_id_of(key_id), key_id, actor)
    with transaction(actor) as tx:
        transitions.apply(tx, key, name, reason=reason, job_id=job.job_id)
        jobs.put(tx, job)
    transitions.cut_off(key, actor=actor)
    jobs.dispatch(job)
    keys.refill_after(key, actor=actor)
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
    """Start a job that moves a rotation's files, or again the one whose worker is gone; of two callers at once, one does.

    Raises:
        RotationNotFound: no such rotation.
        Refused: it is done, or a job works on it already.
    """
    found = rotation.find(rotation_id)
    if found.status is RotationStatus.DONE:
        raise Refused(f"Rotation {rotation_id} is done.")
    job = rotations.active_job(found)
    if job is None:
        return _start(found, actor)
    if jobs.revive(job):
        return job
    raise Refused(f"Job {job.job_id} works on rotation {rotation_id} already.")


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
        total=0,  # the job counts: of many files that takes a while
        parameters={"rotation_id": rotation_id, "old_key_id": key_id},
        actor=actor,
    )


def start_waiting(*, actor: Actor) -> int:
    """Finish rotations that only waited for the index, and start those whose files wait; returns how many started.

    One whose job failed or was cancelled waits until someone starts it again.
    """
    started: list[Job] = []

    def go_on(found: Rotation) -> None:
        if (
            _waits(found)
            or rotations.is_held(found)
            or rotations.advance(found, actor=actor) is not rotations.Stage.MOVING
        ):
            return
        with suppress(RotationChanged):  # someone else started it just now
            started.append(_start(found, actor))

    each(rotation.open_rotations(), go_on)
    return len(started)


def _waits(found: Rotation) -> bool:
    """Return whether a rotation's files stay for now: no job was ever named, and its days are not over."""
    return found.job_id is None and found.started_at > clock.ago(86_400 * settings.REWRAP_AFTER_DAYS)


def rotate_due(*, actor: Actor) -> int:
    """Rotate active keys that are too old or used too often (C5); returns how many were rotated."""
    slots.write_down(actor=actor)  # by which the index knows what was used too often
    due = rotation.due_keys()
    keys.refill(actor=actor, leaving=Counter(key.pool for key, _ in due))
    return each(due, lambda one: rotate_by_schedule(one[0].key_id, reason=one[1], actor=actor))


def _replace_keys(retiring: Sequence[PoolKey], *, reason: str, actor: Actor) -> int:
    """Rotate active keys once there are others in their place, and move their files; returns how many were rotated."""
    keys.refill(actor=actor, leaving=Counter(key.pool for key in retiring))
    return each(retiring, lambda key: rotate(key.key_id, reason=reason, actor=actor, below_low_water=True))


class MessagesWait(Refused):
    """Messages would not open any more, and their clients keep their packages: nothing can re-wrap them."""

    type = "messages-wait"


@dataclass(frozen=True, slots=True)
class Minimum:
    """A pool, and what its keys below the minimum version still hold."""

    pool: Pool
    files: int  # wait to be re-wrapped; counted up to ``counting.AT_ONCE``, as the messages are
    messages: int  # do not open until the minimum is lowered


def minimum_of(pool: str) -> Minimum:
    """The minimum version of a pool, and what waits below it.

    Raises:
        PoolNotFound: no such pool.
    """
    found = pools.read().find(pool)
    return _waiting(found, below=found.minimum)


def set_minimum(
    version: int, *, actor: Actor, pool: str = DEFAULT_POOL, lose_messages: bool = False
) -> Minimum:
    """Set the lowest version whose keys still open: raised, all keys below it are taken out of use at once.

    Their files are re-wrapped. Lowered, they open again what they sealed. Run again with the same version, it
    rotates what an interruption left.

    Args:
        version: at most one more than any key of the pool has.
        actor: who acts.
        pool: its name or alias.
        lose_messages: confirms that messages sealed to these keys do not open until the minimum is lowered.

    Raises:
        PoolNotFound: no such pool.
        Forbidden: the actor does not manage it.
        MessagesWait: messages are sealed to these keys, and ``lose_messages`` is not set.
        Invalid, Refused: as ``policy.raise_minimum``.
    """
    before = pools.read().find(pool)
    pools.check_managed(before, actor)
    policy.check_minimum(before, version)
    if version < before.minimum:
        return _waiting(policy.lower_minimum(before, version, actor=actor), below=version)
    if version > before.minimum:
        _check_raised(_waiting(before, below=version), version, lose_messages=lose_messages)
        policy.raise_minimum(before, version, actor=actor)
    outdated = [key for key in keys.outdated(before.name, version) if key.state in IN_USE]
    _replace_keys(outdated, reason=f"below the minimum version {version}", actor=actor)
    return minimum_of(before.name)


def _waiting(pool: Pool, *, below: int) -> Minimum:
    """Count what is under a pool's keys below a version: two Queries for each such key, one where it expired."""
    old = keys.outdated(pool.name, below)
    holding = [key.key_id for key in old if key.state is not KeyState.EXPIRED]  # else no file needs it
    files = counting.at_once(rewrap.waiting_count, holding)
    return Minimum(pool, files, counting.at_once(count_messages_sealed_by, [key.key_id for key in old]))


def _check_raised(waiting: Minimum, version: int, *, lose_messages: bool) -> None:
    if waiting.messages and not lose_messages:
        raise MessagesWait(
            f"{counting.as_words(waiting.messages)} messages and {counting.as_words(waiting.files)} files are sealed "
            f"to keys of {waiting.pool.name} below "
            f"version {version}. The files would be re-wrapped; the messages would not open until the minimum is "
            "lowered again. Set lose_messages to raise it all the same."
        )
