"""The pool of KEM key pairs: made, picked, opened, rotated, revoked."""

import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from itertools import product

from django.conf import settings
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.common.errors import Unavailable
from apps.common.root_keys.configured import root_key
from apps.common.sweeps import each
from apps.keys import policy, pools, recovery_seal, seeds, store
from apps.keys.records import (
    DEFAULT_POOL,
    ROTATED,
    IllegalTransition,
    KeyNotFound,
    KeyState,
    KeyUnusable,
    PoolKey,
    Rotation,
    RotationStatus,
    rotation_id_of,
)
from apps.keys.store import PoolKeyTable, RotationTable
from apps.keys.trail import PoolKeyEvent, RotationEvent
from qkdseal import kem

LEAST_USED = 10  # picked from at random, so that concurrent requests do not meet on one item
BATCH = 40  # keys made in one transaction: 40 rows, 40 entries, one head


class PoolEmpty(Unavailable):
    """No active key to seal to."""


def _made(suite: kem.Suite, version: int = 1, pool: str = DEFAULT_POOL) -> PoolKey:
    key_id = f"pk-{uuid.uuid4()}"
    return recorded(kem.generate(suite), key_id=key_id, state=KeyState.ACTIVE, version=version, pool=pool)


def recorded(pair: kem.KeyPair, *, key_id: str, state: KeyState, version: int, pool: str) -> PoolKey:
    """The record of a key pair, its seed wrapped under the root key."""
    root = root_key()
    return PoolKey(
        key_id=key_id,
        suite=pair.suite,
        state=state,
        public_key=pair.public_key,
        wrapped_seed=root.wrap(pair.seed, context=seeds.context_of(key_id)),
        root_key_id=root.id,
        created_at=clock.now(),
        version=version,
        imported=state is KeyState.PRE_ACTIVE,
        recovery_seal=recovery_seal.sealed(pair.seed, context=seeds.context_of(key_id)),
        pool=pool,
    )


def create(
    count: int, *, actor: Actor, suite: kem.Suite = kem.DEFAULT_SUITE, pool: str = DEFAULT_POOL
) -> list[PoolKey]:
    """New active key pairs, each with its audit entry."""
    version = policy.read().current
    made: list[PoolKey] = []
    while len(made) < count:
        batch = [_made(suite, version, pool) for _ in range(min(BATCH, count - len(made)))]
        with transaction(actor) as tx:
            for key in batch:
                tx.put(PoolKeyTable.of(key))
                tx.audit(PoolKeyEvent.CREATED, key_id=key.key_id, suite=suite.value, pool=pool)
        made.extend(batch)
    return made


def refill(*, actor: Actor) -> int:
    """Bring each pool back to its target once it is below its low-water mark; returns keys made."""
    made = 0
    for pool in pools.known().values():
        active = store.active_count(pool.name, kem.DEFAULT_SUITE)
        if active < pool.low_water:
            made += len(create(pool.target - active, pool=pool.name, actor=actor))
    return made


def find(key_id: str) -> PoolKey:
    """One pool key, read consistently.

    Raises:
        KeyNotFound: no such key.
    """
    key = PoolKeyTable.find(key_id)
    if key is None:
        raise KeyNotFound(f"There is no pool key {key_id!r}.")
    return key


def pick(pool: str = DEFAULT_POOL, suite: kem.Suite = kem.DEFAULT_SUITE) -> PoolKey:
    """One of the least used active keys of a pool and suite, at random among them.

    Raises:
        PoolEmpty: no key is active; a refill is due.
    """
    candidates = store.least_used(LEAST_USED, pool, suite)
    if not candidates:
        raise PoolEmpty("The key pool is empty; it is being refilled. Try again in a moment.")
    return random.choice(candidates)  # noqa: S311 - spreads load, decides nothing secret


def count_use(tx: Transaction, key: PoolKey, *, uses: int = 1, message: bool = False) -> None:
    """Count uses, in the transaction of what the key is used for; refused unless it is active.

    A message's package stays with its client, where nothing can re-wrap it: such uses are counted apart.
    """
    counted: list[Action] = [PoolKeyTable.usage.add(uses), PoolKeyTable.last_used_at.set(clock.now())]
    tx.update(
        PoolKeyTable.of(key),
        [*counted, PoolKeyTable.messages.add(uses)] if message else counted,
        condition=PoolKeyTable.state == KeyState.ACTIVE,
        otherwise=KeyUnusable(f"Key {key.key_id} is no longer active."),
    )


def move_in(
    tx: Transaction,
    key: PoolKey,
    name: str,
    *,
    reason: str,
    actions: Sequence[Action] = (),
    condition: Condition | None = None,
) -> None:
    """The one way to change a key's state: in a transaction, as the table of moves allows, with its entry.

    Args:
        tx: the transaction.
        key: as read.
        name: of the move.
        reason: kept with the key and in the trail.
        actions: what else changes in the key's row.
        condition: what else must hold.

    Raises:
        IllegalTransition: the table does not allow it, or (at commit) the key was changed meanwhile.
    """
    move = key.move(name)
    unchanged = PoolKeyTable.state == key.state
    tx.update(
        PoolKeyTable.of(key),
        [*_state_actions(key, move.target), PoolKeyTable.reason.set(reason), *actions],
        condition=unchanged if condition is None else unchanged & condition,
        otherwise=IllegalTransition(f"Key {key.key_id} was changed by someone else meanwhile."),
    )
    tx.audit(move.event, key_id=key.key_id, reason=reason)
    if move.source in {KeyState.ACTIVE, KeyState.SUSPENDED} and move.target in ROTATED:
        _start_rotation(tx, key, reason)


def moved(
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
        IllegalTransition: as ``move_in``.
    """
    with transaction(actor) as tx:
        move_in(tx, key, name, reason=reason, actions=actions, condition=condition)
    seeds.forget(key.key_id)
    return find(key.key_id)


def _state_actions(key: PoolKey, target: KeyState) -> list[Action]:
    usage = PoolKeyTable.usage_feed
    return [
        PoolKeyTable.state.set(target),
        PoolKeyTable.state_feed.set(feed(target, key.key_id)),
        usage.set(store.usage_feed(key)) if target is KeyState.ACTIVE else usage.remove(),
        PoolKeyTable.changed_at.set(clock.now()),
    ]


def _start_rotation(tx: Transaction, key: PoolKey, reason: str) -> None:
    """Record that the key's files are to move (C6); which key they move to is chosen when they do."""
    started = Rotation(
        rotation_id=rotation_id_of(key.key_id),
        old_key_id=key.key_id,
        status=RotationStatus.OPEN,
        reason=reason,
        started_at=clock.now(),
        started_by=str(tx.actor),
    )
    tx.put(RotationTable.of(started))
    tx.audit(RotationEvent.STARTED, key_id=key.key_id, rotation_id=started.rotation_id)


def queue_rotation(key_id: str, *, reason: str, actor: Actor) -> PoolKey:
    """Seal nothing more to a key; what it sealed still opens.

    Raises:
        KeyNotFound, IllegalTransition.
    """
    return moved(find(key_id), "queue_rotation", reason=reason, actor=actor)


def revoke(key_id: str, *, reason: str, actor: Actor) -> PoolKey:
    """Stop every further use of a key for sealing, for good. Files under it stay readable until re-wrapped.

    Raises:
        KeyNotFound, IllegalTransition.
    """
    return moved(find(key_id), "revoke", reason=reason, actor=actor)


def rotate_due(*, actor: Actor) -> int:
    """Queue active keys that are too old or used too often (C5) and refill; returns how many were queued."""

    def queue(found: tuple[str, str]) -> PoolKey:
        return queue_rotation(found[0], reason=found[1], actor=actor)

    try:
        return each(_due_for_rotation().items(), queue)
    finally:
        refill(actor=actor)


def _due_for_rotation() -> dict[str, str]:
    """Ids of the keys to rotate, and why."""
    days, uses = settings.POOL_ROTATION_DAYS, settings.POOL_MAX_USES
    minimum, oldest = policy.known().minimum, clock.now() - timedelta(days=days)
    due = {
        key.key_id: f"used {uses} times or more"
        for pool, suite in product(pools.known(), kem.Suite)
        for key in store.used_at_least(uses, pool, suite)
    }
    for key in store.active_before(clock.now()):
        if key.version < minimum:  # made by a process that did not know yet
            due[key.key_id] = f"below the minimum version {minimum}"
        elif key.created_at < oldest:
            due[key.key_id] = f"older than {days} days"
    return due


def listed(*, limit: int, position: Position | None = None, state: KeyState | None = None) -> Page[PoolKey]:
    """Pool keys, newest first."""
    return store.keys_page(limit=limit, position=position, state=state)


def counts() -> dict[KeyState, int]:
    """How many keys are in each state."""
    return {state: store.count(state) for state in KeyState}
