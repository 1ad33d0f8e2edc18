"""The pool of KEM key pairs: made, picked, opened, rotated, revoked."""

import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from itertools import product

from django.conf import settings
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from apps.audit.records import Actor, Event
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.common.errors import Refused, Unavailable
from apps.common.sweeps import each
from apps.common.wrapping import RootKeyUnavailable, UnwrapFailed, UnwrappedCache, root_key
from apps.keys import kem, policy, pools, recovery_seal, store
from apps.keys.records import (
    DEFAULT_POOL,
    OPENS,
    REWRAPS,
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

LEAST_USED = 10  # picked from at random, so that concurrent requests do not meet on one item
BATCH = 40  # keys made in one transaction: 40 rows, 40 entries, one head
CACHE_SECONDS = 60.0  # a revoked key's seed leaves memory after at most this long
_seeds = UnwrappedCache(max_items=256, ttl_seconds=CACHE_SECONDS)


class PoolEmpty(Unavailable):
    """No active key to seal to."""


def context_of(key_id: str) -> dict[str, str]:
    """What a key's seed is bound to."""
    return {"record": "pool_key", "id": key_id}


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
        wrapped_seed=root.wrap(pair.seed, context=context_of(key_id)),
        root_key_id=root.id,
        created_at=clock.now(),
        version=version,
        imported=state is KeyState.PRE_ACTIVE,
        recovery_seal=recovery_seal.sealed(pair.seed, context=context_of(key_id)),
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
                tx.audit(Event.POOL_KEY_CREATED, key_id=key.key_id, suite=suite.value, pool=pool)
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


def seed_of(key: PoolKey, *, rewrap: bool = False) -> bytes:
    """The private seed, after the checks of C3 (state, version, unwrapping, length, public half).

    Args:
        key: as just read: the state is that of the record, only the seed may be up to CACHE_SECONDS old.
        rewrap: the seed only moves a file to another key, which also a suspended or outdated key may do.

    Raises:
        KeyUnusable: its state or version opens nothing, or what is stored is not this key.
        RootKeyUnavailable: the root key cannot be used now.
    """
    if key.state not in (REWRAPS if rewrap else OPENS):
        raise KeyUnusable(f"Key {key.key_id} is {key.state} and opens nothing.")
    if not rewrap:
        _check_opens(key)
    return _seeds.get(key.key_id, lambda: unwrapped(key))


def _check_opens(key: PoolKey) -> None:
    if key.destroy_after is not None:
        raise KeyUnusable(f"Key {key.key_id} awaits its destruction; cancel that to use it.")
    minimum = policy.known().minimum
    if key.version < minimum:
        raise KeyUnusable(
            f"Key {key.key_id} has version {key.version}, below the minimum {minimum}: re-wrap what it sealed."
        )


def unwrapped(key: PoolKey) -> bytes:
    """The seed as the root key opens it, whatever the state, checked against the public half.

    Raises:
        KeyUnusable: what is stored is not this key.
    """
    if key.wrapped_seed is None:
        raise KeyUnusable(f"Key {key.key_id} is destroyed.")
    try:
        seed = root_key().unwrap(key.wrapped_seed, context=context_of(key.key_id))
    except UnwrapFailed:
        raise KeyUnusable(
            f"Key {key.key_id} does not unwrap: its record was changed, or its root key is gone."
        ) from None
    if kem.public_of(key.suite, checked_seed(key, seed)) != key.public_key:
        raise KeyUnusable(f"Key {key.key_id} is damaged: its halves do not belong together.")
    return seed


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


def rewrapped(key: PoolKey, seed: bytes, *, event: Event, actor: Actor) -> PoolKey:
    """Wrap a key's seed under the current root key, in the place of what is stored.

    Raises:
        KeyUnusable: the seed is not this key's.
        Conflict: the record was changed meanwhile; nothing was.
    """
    root, context = root_key(), context_of(key.key_id)
    if kem.public_of(key.suite, checked_seed(key, seed)) != key.public_key:
        raise KeyUnusable(f"The seed does not belong to key {key.key_id}.")
    wrapped = root.wrap(seed, context=context)
    if root.unwrap(wrapped, context=context) != seed:  # before the old one is gone
        raise RootKeyUnavailable("the root key does not give back what it wrapped")
    with transaction(actor) as tx:
        tx.update(
            PoolKeyTable.of(key),
            [
                PoolKeyTable.wrapped_seed.set(wrapped),
                PoolKeyTable.root_key_id.set(root.id),
                PoolKeyTable.root_feed.set(feed(root.id, key.key_id)),
            ],
            condition=PoolKeyTable.wrapped_seed == key.wrapped_seed,
        )
        tx.audit(event, key_id=key.key_id, old_root_key_id=key.root_key_id, root_key_id=root.id)
    return find(key.key_id)


def checked_seed(key: PoolKey, seed: bytes) -> bytes:
    """The seed itself, if it has the length of the key's suite.

    Raises:
        KeyUnusable: it has not.
    """
    if len(seed) != key.suite.seed_size:
        raise KeyUnusable(f"Key {key.key_id} is damaged: its seed has another length.")
    return seed


def sealed_for_recovery(key: PoolKey, *, actor: Actor) -> None:
    """Seal a key's seed to the recovery key, in the place of an older seal.

    Raises:
        KeyUnusable: the seed does not unwrap.
        Conflict: the record was changed meanwhile; nothing was.
    """
    seal = recovery_seal.sealed(unwrapped(key), context=context_of(key.key_id))
    if seal is None:
        raise Refused("No recovery key is configured.")
    with transaction(actor) as tx:
        tx.update(
            PoolKeyTable.of(key),
            [PoolKeyTable.recovery_seal.set(seal)],
            condition=PoolKeyTable.wrapped_seed == key.wrapped_seed,
        )
        tx.audit(Event.SECRET_SEALED, key_id=key.key_id, recovery_key_id=seal[: recovery_seal.ID_SIZE].hex())


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
    _seeds.forget(key.key_id)
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
    tx.audit(Event.ROTATION_STARTED, key_id=key.key_id, rotation_id=started.rotation_id)


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


def wrapped_under(root_key_id: str) -> list[str]:
    """Ids of the keys whose seed a root key wraps: one Query for each shard."""
    return list(store.wrapped_under(root_key_id))


def wrapped_count(root_key_id: str) -> int:
    """How many seeds a root key wraps."""
    return store.wrapped_count(root_key_id)


def listed(*, limit: int, position: Position | None = None, state: KeyState | None = None) -> Page[PoolKey]:
    """Pool keys, newest first."""
    return store.keys_page(limit=limit, position=position, state=state)


def counts() -> dict[KeyState, int]:
    """How many keys are in each state."""
    return {state: store.count(state) for state in KeyState}
