"""Rotations (C6): which key replaces which, how far its files are, resumable at every step.

A rotation is opened in the transaction that takes the old key out of use (``services.moved``). It is finished
in the transaction that expires the old key. In between ``apps.custody`` moves the files; whatever is
interrupted goes on from the record.
"""

from dataclasses import replace

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.common.errors import Refused
from apps.keys import pools, services, store
from apps.keys.records import (
    KeyState,
    PoolKey,
    Rotation,
    RotationNotFound,
    RotationStatus,
)
from apps.keys.store import RotationTable
from apps.keys.trail import RotationEvent


def find(rotation_id: str) -> Rotation:
    """One rotation.

    Raises:
        RotationNotFound: no such rotation.
    """
    rotation = RotationTable.find(rotation_id)
    if rotation is None:
        raise RotationNotFound(f"There is no rotation {rotation_id!r}.")
    return rotation


def listed(*, limit: int, position: Position | None = None) -> Page[Rotation]:
    """Rotations, newest first."""
    return store.rotations_page(limit=limit, position=position)


def unfinished() -> list[Rotation]:
    """Rotations that are not done, the oldest first."""
    return list(store.open_rotations())


def target_of(rotation: Rotation, *, actor: Actor) -> tuple[Rotation, PoolKey]:
    """The key that the files move to: the one recorded while it is active, else one chosen now and recorded.

    Raises:
        PoolEmpty: no key is active.
        Refused: someone else chose at the same moment; ask again.
    """
    if rotation.new_key_id is not None:
        chosen = services.find(rotation.new_key_id)
        if chosen.state is KeyState.ACTIVE:
            return rotation, chosen
    old = services.find(rotation.old_key_id)
    chosen = services.pick(pools.still(old.pool))
    row, before = RotationTable.of(rotation), RotationTable.new_key_id
    unchanged = before.does_not_exist() if rotation.new_key_id is None else before == rotation.new_key_id
    with transaction(actor) as tx:
        tx.update(
            row,
            [RotationTable.new_key_id.set(chosen.key_id), RotationTable.changed_at.set(clock.now())],
            condition=unchanged & (RotationTable.status == RotationStatus.OPEN),
            otherwise=Refused(f"Rotation {rotation.rotation_id} was changed by someone else meanwhile."),
        )
        tx.audit(
            RotationEvent.TARGETED,
            key_id=rotation.old_key_id,
            rotation_id=rotation.rotation_id,
            new_key_id=chosen.key_id,
        )
    return replace(rotation, new_key_id=chosen.key_id), chosen


def finish(rotation: Rotation, *, actor: Actor) -> Rotation:
    """No file needs the old key any more: the rotation is done, and the key expires unless it is revoked.

    Raises:
        Refused: it was finished already.
        IllegalTransition: the key was changed meanwhile.
    """
    moment = clock.now()
    done = replace(rotation, status=RotationStatus.DONE, ended_at=moment, changed_at=moment)
    old = services.find(rotation.old_key_id)
    refused = Refused(f"Rotation {rotation.rotation_id} is done already.")
    with transaction(actor) as tx:
        tx.replace(
            RotationTable.of(done),
            condition=RotationTable.status == RotationStatus.OPEN,
            otherwise=refused,
        )
        tx.audit(RotationEvent.DONE, key_id=old.key_id, rotation_id=rotation.rotation_id)
        if old.state is KeyState.ROTATION_QUEUED:
            services.move_in(tx, old, "expire", reason="no file needs it any more")
    return done


def note(rotation: Rotation, *, job_id: str) -> None:
    """Remember the job that works on a rotation: where it stands, not what happened, so without an entry."""
    RotationTable.of(rotation).update([RotationTable.job_id.set(job_id)])
