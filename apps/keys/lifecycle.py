"""A key's life beyond sealing and opening: activation, suspension, destruction.

Which transitions there are stands in ``records.TRANSITIONS``. What depends on files (rotation, expiry,
destruction) is decided by ``apps.custody``, which knows both.
"""

from datetime import datetime, timedelta

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import feed
from apps.keys import pools, services, store, transfer, transitions
from apps.keys.records import IllegalTransition, KeyState, PoolKey
from apps.keys.store import PoolKeyTable
from apps.keys.trail import PoolKeyEvent

MIN_WINDOW_DAYS, MAX_WINDOW_DAYS = 7, 30  # as AWS KMS: long enough to miss the key, and to cancel


def check_activation(key: PoolKey, *, actor: Actor) -> None:
    """Check that an imported key may be put to use, once a second person allows it.

    Raises:
        IllegalTransition: it is in use already, or out of it.
        Forbidden: the actor does not manage its pool.
        Refused: its pool takes no imported keys.
    """
    key.transition("activate")
    if key.destroy_after is not None:
        raise IllegalTransition(f"{key.key_id} awaits its destruction. Cancel that to use it.")
    transfer.check_accepts_imports(pools.known().find(key.pool), actor)


def activate(tx: Transaction, key: PoolKey, *, reason: str) -> None:
    """In the transaction that uses a second person's approval: put an imported key to use.

    Raises:
        IllegalTransition, Forbidden, Refused: as ``check_activation``, or (at commit) it was changed meanwhile.
    """
    check_activation(key, actor=tx.actor)
    transitions.apply(tx, key, "activate", reason=reason)


def suspend(key_id: str, *, reason: str, actor: Actor, below_low_water: bool = False) -> PoolKey:
    """Let a key neither seal nor open for now.

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
    key = services.find(key_id)
    key.transition("suspend")
    services.check_taken_away(key, actor=actor, below_low_water=below_low_water)
    suspended = transitions.commit(key, "suspend", reason=reason, actor=actor)
    services.refill_after(key, actor=actor)
    return suspended


def resume(key_id: str, *, reason: str, actor: Actor) -> PoolKey:
    """End a suspension.

    Raises:
        KeyNotFound, IllegalTransition.
        Forbidden: the actor does not manage its pool.
    """
    key = services.find(key_id)
    pools.check_managed(pools.known().find(key.pool), actor)
    return transitions.commit(key, "resume", reason=reason, actor=actor)


def destruction_end() -> datetime:
    """When a destruction that is scheduled now may happen."""
    days = min(max(settings.DESTRUCTION_WINDOW_DAYS, MIN_WINDOW_DAYS), MAX_WINDOW_DAYS)
    return clock.now() + timedelta(days=days)


def schedule_destruction(
    tx: Transaction, key: PoolKey, *, after: datetime, reason: str, messages: int
) -> None:
    """In a transaction: destroy the key once ``after`` is past. Until then it opens nothing and waits.

    Raises:
        IllegalTransition: the key's state has no way to destruction, or (at commit) it was changed meanwhile.
    """
    key.transition("destroy")
    if key.destroy_after is not None:
        raise IllegalTransition(f"{key.key_id} awaits its destruction already.")
    tx.update(
        PoolKeyTable.of(key),
        [
            PoolKeyTable.destroy_after.set(after),
            PoolKeyTable.destruction_feed.set(feed(store.LISTED, key.key_id)),
            PoolKeyTable.reason.set(reason),
        ],
        otherwise=transitions.changed(key),
    )
    tx.audit(
        PoolKeyEvent.DESTRUCTION_SCHEDULED,
        key_id=key.key_id,
        reason=reason,
        after=clock.as_text(after),
        messages_lost=messages,
    )


def cancel_destruction(key_id: str, *, reason: str, actor: Actor) -> PoolKey:
    """Keep the key after all.

    Raises:
        KeyNotFound: no such key.
        IllegalTransition: its destruction is not scheduled, or done.
    """
    key = services.find(key_id)
    if key.destroy_after is None or key.state is KeyState.DESTROYED:
        raise IllegalTransition(f"{key_id} does not await its destruction, so there is nothing to cancel.")
    with transaction(actor) as tx:
        tx.update(
            PoolKeyTable.of(key),
            [PoolKeyTable.destroy_after.remove(), PoolKeyTable.destruction_feed.remove()],
            otherwise=transitions.changed(key),
        )
        tx.audit(PoolKeyEvent.DESTRUCTION_CANCELLED, key_id=key_id, reason=reason)
    return services.find(key_id)


def due_for_destruction() -> list[PoolKey]:
    """Keys whose waiting window has ended."""
    return list(store.due_for_destruction(clock.now()))


def destroy(key: PoolKey, *, actor: Actor) -> PoolKey:
    """Remove the wrapped seed and its recovery seal, for good; the public half and the history stay.

    Raises:
        IllegalTransition: the window has not ended, or the destruction was cancelled.
    """
    return transitions.commit(
        key,
        "destroy",
        reason=key.reason or "destroyed",
        actor=actor,
        actions=[
            PoolKeyTable.wrapped_seed.remove(),
            PoolKeyTable.recovery_seal.remove(),
            PoolKeyTable.root_feed.remove(),
            PoolKeyTable.destruction_feed.remove(),
        ],
        condition=PoolKeyTable.destroy_after < clock.now(),
    )
