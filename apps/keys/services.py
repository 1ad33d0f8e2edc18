"""The pool of KEM key pairs: made, picked, opened, rotated, revoked."""

import random
import uuid
from datetime import timedelta

from django.conf import settings

from apps.audit.records import Actor, Event
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed
from apps.common.errors import Unavailable
from apps.common.sweeps import each
from apps.common.wrapping import UnwrapFailed, UnwrappedCache, root_key
from apps.keys import kem, store
from apps.keys.records import OPENS, IllegalTransition, KeyNotFound, KeyState, KeyUnusable, PoolKey
from apps.keys.store import PoolKeyTable

LEAST_USED = 10  # picked from at random, so that concurrent requests do not meet on one item
BATCH = 40  # keys made in one transaction: 40 rows, 40 entries, one head
ROTATION_AGE = timedelta(days=30)
CACHE_SECONDS = 60.0  # a revoked key's seed leaves memory after at most this long
_seeds = UnwrappedCache(max_items=256, ttl_seconds=CACHE_SECONDS)


class PoolEmpty(Unavailable):
    """No active key to seal to."""


def _context(key_id: str) -> dict[str, str]:
    return {"record": "pool_key", "id": key_id}


def _made(suite: kem.Suite) -> PoolKey:
    key_id = f"pk-{uuid.uuid4()}"
    pair, root = kem.generate(suite), root_key()
    return PoolKey(
        key_id=key_id,
        suite=suite,
        state=KeyState.ACTIVE,
        public_key=pair.public_key,
        wrapped_seed=root.wrap(pair.seed, context=_context(key_id)),
        root_key_id=root.id,
        created_at=clock.now(),
    )


def create(count: int, *, actor: Actor, suite: kem.Suite = kem.DEFAULT_SUITE) -> list[PoolKey]:
    """New active key pairs, each with its audit entry."""
    made: list[PoolKey] = []
    while len(made) < count:
        batch = [_made(suite) for _ in range(min(BATCH, count - len(made)))]
        with transaction(actor) as tx:
            for key in batch:
                tx.put(PoolKeyTable.of(key))
                tx.audit(Event.POOL_KEY_CREATED, key_id=key.key_id, suite=suite.value)
        made.extend(batch)
    return made


def refill(*, actor: Actor) -> int:
    """Bring the pool back to its target once it is below the low-water mark; returns keys made."""
    active = store.count(KeyState.ACTIVE)
    if active >= min(settings.POOL_LOW_WATER, settings.POOL_TARGET):
        return 0
    return len(create(settings.POOL_TARGET - active, actor=actor))


def find(key_id: str) -> PoolKey:
    """One pool key, read consistently.

    Raises:
        KeyNotFound: no such key.
    """
    key = PoolKeyTable.find(key_id)
    if key is None:
        raise KeyNotFound(f"There is no pool key {key_id!r}.")
    return key


def pick(suite: kem.Suite | None = None) -> PoolKey:
    """One of the least used active keys (of one suite), at random among them.

    Raises:
        PoolEmpty: no key is active; a refill is due.
    """
    candidates = store.least_used(LEAST_USED, suite)
    if not candidates:
        raise PoolEmpty("The key pool is empty; it is being refilled. Try again in a moment.")
    return random.choice(candidates)  # noqa: S311 - spreads load, decides nothing secret


def count_use(tx: Transaction, key: PoolKey) -> None:
    """Count one more use, in the transaction of what the key is used for; refused unless it is active."""
    tx.update(
        PoolKeyTable.of(key),
        [PoolKeyTable.usage.add(1), PoolKeyTable.last_used_at.set(clock.now())],
        condition=PoolKeyTable.state == KeyState.ACTIVE,
        otherwise=KeyUnusable(f"Key {key.key_id} is no longer active."),
    )


def seed_of(key: PoolKey) -> bytes:
    """The private seed, after the checks of C3 (state, unwrapping, length, public half).

    Raises:
        KeyUnusable: destroyed, or what is stored is not this key.
        RootKeyUnavailable: the root key cannot be used now.
    """
    if key.state not in OPENS:
        raise KeyUnusable(f"Key {key.key_id} is {key.state} and opens nothing any more.")
    return _seeds.get(key.key_id, lambda: _unwrapped(key))


def _unwrapped(key: PoolKey) -> bytes:
    try:
        seed = root_key().unwrap(key.wrapped_seed, context=_context(key.key_id))
    except UnwrapFailed:
        raise KeyUnusable(f"Key {key.key_id} does not unwrap: its record was changed.") from None
    if len(seed) != key.suite.seed_size or kem.public_of(key.suite, seed) != key.public_key:
        raise KeyUnusable(f"Key {key.key_id} is damaged: its halves do not belong together.")
    return seed


def _move(key: PoolKey, target: KeyState, event: Event, *, reason: str, actor: Actor) -> PoolKey:
    key.check_move(target)
    row = PoolKeyTable.of(key)
    with transaction(actor) as tx:
        tx.update(
            row,
            [
                PoolKeyTable.state.set(target),
                PoolKeyTable.state_feed.set(feed(target, key.key_id)),
                PoolKeyTable.usage_feed.remove(),
                PoolKeyTable.changed_at.set(clock.now()),
                PoolKeyTable.reason.set(reason),
            ],
            condition=PoolKeyTable.state == key.state,
            otherwise=IllegalTransition(f"Key {key.key_id} was changed by someone else meanwhile."),
        )
        tx.audit(event, key_id=key.key_id, reason=reason)
    _seeds.forget(key.key_id)
    return find(key.key_id)


def queue_rotation(key_id: str, *, reason: str, actor: Actor) -> PoolKey:
    """Seal nothing more to a key; what it sealed still opens.

    Raises:
        KeyNotFound, IllegalTransition.
    """
    return _move(
        find(key_id), KeyState.ROTATION_QUEUED, Event.POOL_KEY_ROTATION_QUEUED, reason=reason, actor=actor
    )


def revoke(key_id: str, *, reason: str, actor: Actor) -> PoolKey:
    """Stop every further use of a key for sealing, for good. Files under it stay readable until re-wrapped.

    Raises:
        KeyNotFound, IllegalTransition.
    """
    return _move(find(key_id), KeyState.REVOKED, Event.POOL_KEY_REVOKED, reason=reason, actor=actor)


def rotate_due(*, actor: Actor) -> int:
    """Queue active keys older than 30 days (C5) and refill; returns how many were queued."""
    old = store.active_before(clock.now() - ROTATION_AGE)
    try:
        return each(old, lambda key: queue_rotation(key.key_id, reason="older than 30 days", actor=actor))
    finally:
        refill(actor=actor)


def listed(*, limit: int, position: Position | None = None, state: KeyState | None = None) -> Page[PoolKey]:
    """Pool keys, newest first."""
    return store.keys_page(limit=limit, position=position, state=state)


def counts() -> dict[KeyState, int]:
    """How many keys are in each state."""
    return {state: store.count(state) for state in KeyState}
