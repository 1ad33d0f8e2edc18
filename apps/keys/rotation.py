"""Rotations (C6): which keys are due, which key replaces which, and the job that moves the files.

A rotation is opened in the transaction that takes the old key out of use (``transitions.apply``). It is finished
in the transaction that expires the old key. In between ``apps.custody`` moves the files; whatever is
interrupted goes on from the record.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from zlib import crc32

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.keys import pools, services, store, transitions
from apps.keys.records import (
    KeyState,
    PoolKey,
    Rotation,
    RotationChanged,
    RotationNotFound,
    RotationStatus,
)
from apps.keys.store import RotationTable
from apps.keys.trail import RotationEvent
from qkdseal import kem

JITTER = 0.2  # of a key's days, by which its rotation comes earlier at most


def find(rotation_id: str) -> Rotation:
    """One rotation, read consistently.

    Raises:
        RotationNotFound: no such rotation.
    """
    rotation = RotationTable.find(rotation_id)
    if rotation is None:
        raise RotationNotFound(f"There is no rotation {rotation_id!r}.")
    return rotation


def rotations_page(*, limit: int, position: Position | None = None) -> Page[Rotation]:
    """Rotations, newest first."""
    return store.rotations_page(limit=limit, position=position)


def open_rotations() -> list[Rotation]:
    """Rotations that are not done, the oldest first."""
    return list(store.open_rotations())


def due_keys() -> list[tuple[PoolKey, str]]:
    """The active keys that are too old, used too often or outdated (C5), and why."""
    known = pools.known().pools
    found = {
        key.key_id: (key, f"used {pool.rotated_after_uses} times or more")
        for pool, suite in product(known.values(), kem.Suite)
        for key in store.used_at_least(pool.rotated_after_uses, pool.name, suite)
    }
    for key in store.active_before(clock.now()):
        pool = known[key.pool]
        if key.version < pool.minimum:  # made by a process that did not know yet
            found[key.key_id] = key, f"below the minimum version {pool.minimum}"
        elif key.created_at < clock.now() - lifetime(key.key_id, days=pool.rotated_after_days):
            found[key.key_id] = key, f"due within its {pool.rotated_after_days} days"
    return list(found.values())


def lifetime(key_id: str, *, days: float) -> timedelta:
    """How long a key seals: between four fifths and all of what its pool allows, always the same for one key.

    So that keys made on one day are not rotated, and all their files re-wrapped, on one day.
    """
    part = crc32(key_id.encode()) / 2**32
    return timedelta(days=days * (1 - JITTER * part))


def target_of(rotation: Rotation, *, actor: Actor) -> tuple[Rotation, PoolKey]:
    """The key that the files move to: the one recorded while it is active, else one chosen now and recorded.

    Raises:
        PoolEmpty: no key is active.
        RotationChanged: it was finished meanwhile.
    """
    try:
        return _target_of(rotation, actor)
    except RotationChanged:  # another worker chose at the same moment: both go on with what it recorded
        return _target_of(find(rotation.rotation_id), actor)


def _target_of(rotation: Rotation, actor: Actor) -> tuple[Rotation, PoolKey]:
    _check_open(rotation)
    if rotation.new_key_id is not None:
        recorded = services.find(rotation.new_key_id)
        if recorded.state is KeyState.ACTIVE:
            return rotation, recorded
    chosen = _successor(services.find(rotation.old_key_id))
    targeted = RotationTable.of(replace(rotation, new_key_id=chosen.key_id, changed_at=clock.now()))
    with transaction(actor) as tx:
        tx.replace(targeted, otherwise=RotationChanged(_changed(rotation)))
        tx.audit(
            RotationEvent.TARGETED,
            key_id=rotation.old_key_id,
            rotation_id=rotation.rotation_id,
            new_key_id=chosen.key_id,
        )
    return targeted.record(), chosen


def _successor(old: PoolKey) -> PoolKey:
    return services.choose(old.pool, but=old.key_id)


def assign_job(tx: Transaction, rotation: Rotation, *, job_id: str) -> None:
    """Name the job that moves the files, in the transaction that records that job: one at a time.

    Raises (at commit):
        RotationChanged: the rotation was finished, or given another job, since it was read.
    """
    _check_open(rotation)
    assigned = RotationTable.of(replace(rotation, job_id=job_id))
    tx.replace(assigned, otherwise=RotationChanged(_changed(rotation)))


def finish(rotation: Rotation, old: PoolKey, *, actor: Actor) -> Rotation:
    """Record that no file needs the old key any more; the key expires, unless it is revoked.

    Where no file had to move, the successor is chosen now: whoever reads the rotation learns which key seals
    instead of the old one.

    Args:
        rotation: as read.
        old: its old key, as read.
        actor: who acts.

    Raises:
        PoolEmpty: there is no key that could replace the old one.
        RotationChanged: it was finished, or given a successor, since it was read.
        IllegalTransition: the key was changed since it was read.
    """
    _check_open(rotation)
    moment = clock.now()
    done = replace(
        rotation,
        status=RotationStatus.DONE,
        ended_at=moment,
        changed_at=moment,
        new_key_id=rotation.new_key_id or _successor(old).key_id,
    )
    row = RotationTable.of(done)
    with transaction(actor) as tx:
        tx.replace(row, otherwise=RotationChanged(_changed(rotation)))
        tx.audit(
            RotationEvent.DONE,
            key_id=old.key_id,
            rotation_id=rotation.rotation_id,
            new_key_id=done.new_key_id,
        )
        if old.state is KeyState.ROTATION_QUEUED:
            transitions.apply(tx, old, "expire", reason="no file needs it any more")
    return row.record()


def _check_open(rotation: Rotation) -> None:
    if rotation.status is not RotationStatus.OPEN:
        raise RotationChanged(_changed(rotation))


def _changed(rotation: Rotation) -> str:
    return f"Rotation {rotation.rotation_id} was changed by someone else meanwhile. Look at it again."
