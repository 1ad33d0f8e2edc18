"""The only way to change a pool key's state: as the table of transitions allows, together with its entry.

A key that is taken out of use has its rotation opened in the same transaction (C6). Who does so is
``apps.custody.retirement``, which gives the rotation the job that moves the key's files.
"""

from collections.abc import Sequence

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import feed
from apps.keys import services, slots, store
from apps.keys.records import (
    IllegalTransition,
    KeyState,
    PoolKey,
    Rotation,
    RotationStatus,
    rotation_id_of,
)
from apps.keys.store import PoolKeyTable, RotationTable
from apps.keys.trail import RotationEvent


def apply(
    tx: Transaction,
    key: PoolKey,
    name: str,
    *,
    reason: str,
    actions: Sequence[Action] = (),
    condition: Condition | None = None,
    job_id: str | None = None,
    later: bool = False,
) -> None:
    """Change a key's state in a transaction.

    Args:
        tx: the transaction.
        key: as read.
        name: of the transition.
        reason: kept with the key and in the trail.
        actions: what else changes in the key's row.
        condition: what else must hold.
        job_id: of the job that moves the key's files, where the transition opens a rotation.
        later: their job is started some days later (REWRAP_AFTER_DAYS).

    Raises:
        IllegalTransition: the table does not allow it, or (at commit) the key was changed meanwhile.
        ValueError: it opens a rotation, and no job is named though it is not for later.
    """
    transition = key.transition(name)
    tx.update(
        PoolKeyTable.of(key),
        [*_state_actions(key, transition.target), PoolKeyTable.reason.set(reason), *actions],
        condition=condition,
        otherwise=changed(key),
    )
    tx.audit(transition.event, key_id=key.key_id, reason=reason)
    if transition.opens_rotation:
        if job_id is None and not later:
            raise ValueError(
                "apps.custody.retirement takes keys out of use, with a job that moves their files"
            )
        _open_rotation(tx, key, reason=reason, job_id=job_id)


def commit(
    key: PoolKey,
    name: str,
    *,
    reason: str,
    actor: Actor,
    actions: Sequence[Action] = (),
    condition: Condition | None = None,
) -> PoolKey:
    """Change a key's state in a transaction of its own; its seed leaves this process's memory.

    Raises:
        IllegalTransition: as ``apply``.
    """
    with transaction(actor) as tx:
        apply(tx, key, name, reason=reason, actions=actions, condition=condition)
    cut_off(key, actor=actor)
    return services.find(key.key_id)


def cut_off(key: PoolKey, *, actor: Actor) -> None:
    """Make sure that nothing more is sealed to a key that was active before its transition, and forget its seed."""
    services.forget(key)
    if key.state is KeyState.ACTIVE:
        slots.close(key.key_id, actor=actor)


def changed(key: PoolKey) -> IllegalTransition:
    """The refusal of a change to a key that is no longer as it was read."""
    return IllegalTransition(f"{key.key_id} was changed by someone else meanwhile. Look at it again.")


def _state_actions(key: PoolKey, target: KeyState) -> list[Action]:
    usage = PoolKeyTable.usage_feed
    return [
        PoolKeyTable.state.set(target),
        PoolKeyTable.state_feed.set(feed(target, key.key_id)),
        usage.set(store.usage_feed(key)) if target is KeyState.ACTIVE else usage.remove(),
        PoolKeyTable.changed_at.set(clock.now()),
    ]


def _open_rotation(tx: Transaction, key: PoolKey, *, reason: str, job_id: str | None) -> None:
    """Record that the key's files are to move; which key they move to is chosen when they do."""
    opened = Rotation(
        rotation_id=rotation_id_of(key.key_id),
        old_key_id=key.key_id,
        status=RotationStatus.OPEN,
        reason=reason,
        started_at=clock.now(),
        started_by=str(tx.actor),
        job_id=job_id,
    )
    tx.put(RotationTable.of(opened))
    tx.audit(RotationEvent.STARTED, key_id=key.key_id, rotation_id=opened.rotation_id)
