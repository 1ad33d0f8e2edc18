"""The pool of KEM key pairs: made, found, picked, counted.

Their states change in ``transitions``; they are taken out of use by ``apps.custody.retirement``.
"""

import logging
import random
import uuid
from collections.abc import Mapping

from pynamodb.exceptions import PynamoDBException

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.dynamodb import Page, Position
from apps.common.errors import PlatformError, Refused
from apps.common.root_keys.interface import RootKeyUnavailable
from apps.keys import pools, seeds, slots, store, wrapped_secrets
from apps.keys.pool_records import DEFAULT_POOL, Pool, PoolEmpty
from apps.keys.records import (
    KeyNotFound,
    KeyState,
    KeyUnusable,
    PoolKey,
)
from apps.keys.store import PoolKeyTable
from apps.keys.trail import PoolKeyEvent
from qkdseal import kem

REFILLED = "pool keys made"  # the refill's part that makes them
LEAST_USED = 40  # picked from at random: their uses are counted every few minutes, in which ten would get all
BATCH = 40  # keys made in one transaction: 40 rows, 40 entries, one head
PICK_SECONDS = 60.0
_picked = TimedCache[PoolKey](max_items=64, ttl_seconds=PICK_SECONDS)
log = logging.getLogger(__name__)


def _new_key(suite: kem.Suite, version: int, pool: str) -> PoolKey:
    pair = kem.generate_key_pair(suite)
    return wrap_pair(pair, key_id=f"pk-{uuid.uuid4()}", state=KeyState.ACTIVE, version=version, pool=pool)


def wrap_pair(pair: kem.KeyPair, *, key_id: str, state: KeyState, version: int, pool: str) -> PoolKey:
    """Make the record of a key pair, its seed wrapped under the root key.

    Raises:
        RootKeyUnavailable: the root key cannot be used now.
    """
    wrapping = wrapped_secrets.wrap(seeds.KIND, key_id, pair.seed)
    return PoolKey(
        key_id=key_id,
        suite=pair.suite,
        state=state,
        public_key=pair.public_key,
        wrapped_seed=wrapping.stored,
        root_key_id=wrapping.root_key_id,
        created_at=clock.now(),
        version=version,
        imported=state is KeyState.PRE_ACTIVE,
        recovery_seal=wrapping.recovery_seal,
        commitment=wrapping.commitment,
        pool=pool,
    )


def create(
    count: int, *, actor: Actor, suite: kem.Suite | None = None, pool: str = DEFAULT_POOL
) -> list[PoolKey]:
    """Make active key pairs of a pool, of its suite unless told, each with its audit entry.

    Raises:
        PoolNotFound: no such pool.
        RootKeyUnavailable: the root key cannot be used now.
    """
    pools.ensure_default(actor=actor)
    found = pools.known().find(pool)
    suite, version = suite or found.suite, found.current
    made: list[PoolKey] = []
    while len(made) < count:
        count_now = min(BATCH, count - len(made))
        batch = [PoolKeyTable.of(_new_key(suite, version, found.name)) for _ in range(count_now)]
        with transaction(actor) as tx:
            for row in batch:
                tx.put(row)
                tx.audit(
                    PoolKeyEvent.CREATED,
                    key_id=row.key,
                    suite=suite.value,
                    pool=found.name,
                    commitment=row.record().commitment,
                )
        made.extend(row.record() for row in batch)
    return made


def refill(*, actor: Actor, leaving: Mapping[str, int] | None = None) -> int:
    """Bring each pool back to its target once it is below its low-water mark; returns keys made.

    Args:
        actor: who acts.
        leaving: how many of a pool's active keys are about to be taken out of use, by its name.
    """
    pools.ensure_default(actor=actor)
    made = 0
    for pool in pools.known().pools.values():
        active = active_count(pool) - (leaving or {}).get(pool.name, 0)
        if active < pool.low:
            made += len(create(pool.full - active, pool=pool.name, actor=actor))
    return made


def active_count(pool: Pool) -> int:
    """How many active keys of its suite a pool has."""
    return store.active_count(pool.name, pool.suite)


class BelowLowWater(Refused):
    """A pool would keep fewer active keys than its low-water mark."""

    type = "below-low-water"


def check_taken_away(key: PoolKey, *, actor: Actor, below_low_water: bool) -> None:
    """Check that an actor may take a key out of use, and that its pool can spare it.

    Else somebody could empty a pool unawares, or of all keys but their own.

    Args:
        key: that is about to be suspended, rotated or revoked.
        actor: who does so.
        below_low_water: confirms that it is to go all the same, such as one that leaked.

    Raises:
        Forbidden: the actor does not manage the pool.
        BelowLowWater: the pool cannot spare it, and that is not confirmed.
    """
    pool = pools.known().find(key.pool)
    pools.check_managed(pool, actor)
    if below_low_water or key.state is not KeyState.ACTIVE or key.suite is not pool.suite:
        return
    left = active_count(pool) - 1
    if left < pool.low:
        raise BelowLowWater(
            f"Pool {pool.name} would keep {left} active keys, fewer than its low-water mark {pool.low}. Wait for "
            "its refill, or set below_low_water to take the key away all the same; the pool is refilled at once."
        )


def refill_after(key: PoolKey, *, actor: Actor) -> None:
    """Refill at once where an active key was taken out of use. The key is out of use even where that fails now."""
    if key.state is KeyState.ACTIVE:
        try:
            refill(actor=actor)
        except (PlatformError, RootKeyUnavailable, PynamoDBException) as error:
            # A leaked key is revoked also where no other can be made now; the schedule tries again
            log.warning("pool %s is not refilled yet: %s", key.pool, error)


def find(key_id: str) -> PoolKey:
    """One pool key, read consistently.

    Raises:
        KeyNotFound: no such key.
    """
    key = PoolKeyTable.find(key_id)
    if key is None:
        raise KeyNotFound(f"There is no pool key {key_id!r}.")
    return key


def pick(pool: str = DEFAULT_POOL, suite: kem.Suite | None = None) -> PoolKey:
    """The key of a pool and suite (the pool's, unless told) that this process seals to for now: it stays with one for PICK_SECONDS.

    So a seed is unwrapped, to check its halves, once in a while only, and most picks cost no call.

    Raises:
        PoolEmpty, KeyUnusable, RecordForged: as ``choose``.
    """
    suite = suite or _suite_of(pool)
    return _picked.get(_pick_name(pool, suite), lambda: choose(pool, suite))


def choose(pool: str = DEFAULT_POOL, suite: kem.Suite | None = None, *, but: str | None = None) -> PoolKey:
    """One of the least used active keys of a pool and suite, at random among them, with halves that belong together.

    Args:
        pool: its name.
        suite: of the key; the pool's unless told.
        but: id of a key that is not wanted.

    Raises:
        PoolEmpty: no key is active; a refill is due.
        KeyUnusable: all that are active are damaged.
        RecordForged: none of those that are listed is authentic.
        RootKeyUnavailable: the root key cannot be used now.
    """
    suite = suite or _suite_of(pool)
    candidates = [key for key in store.least_used(LEAST_USED, pool, suite) if key.key_id != but]
    damage: KeyUnusable | None = None
    for key in random.sample(candidates, len(candidates)):
        try:
            seeds.check_halves(key)
        except KeyUnusable as error:  # one damaged record must not stop everyone
            log.error("pool key %s is passed over: %s", key.key_id, error.detail)  # noqa: TRY400 - its own words
            damage = error
        else:
            return key
    raise damage or PoolEmpty("The key pool is empty. It is being refilled: try again in a moment.")


def forget(key: PoolKey) -> None:
    """Drop a key from this process's memory: its seed, and the choice to seal to it."""
    seeds.forget(key.key_id)
    _picked.forget(_pick_name(key.pool, key.suite))


def _suite_of(pool: str) -> kem.Suite:
    found = pools.known().pools.get(pool)
    return found.suite if found else kem.DEFAULT_SUITE


def _pick_name(pool: str, suite: kem.Suite) -> str:
    return f"{pool}|{suite}"


def count_use(tx: Transaction, key: PoolKey, *, uses: int = 1, message: bool = False) -> None:
    """Count uses, in the transaction of what the key is used for, which demands that the key is still active.

    A message's package stays with its client, where nothing can re-wrap it: such uses are counted separately.

    Raises (at commit):
        KeyUnusable: the key is no longer active; the next pick is of another.
    """

    def changed() -> KeyUnusable:
        forget(key)
        return KeyUnusable(f"{key.key_id} was taken out of use or changed meanwhile. Use another key.")

    slots.count(tx, key, uses=uses, messages=uses if message else 0, changed=changed)


def outdated(pool: str, version: int) -> list[PoolKey]:
    """The keys of a pool below a version that are not destroyed."""
    keys = store.keys_of(pool)
    return [key for key in keys if key.version < version and key.state is not KeyState.DESTROYED]


def keys_page(
    *, limit: int, position: Position | None = None, state: KeyState | None = None
) -> Page[PoolKey]:
    """Pool keys, newest first."""
    return store.keys_page(limit=limit, position=position, state=state)


def counts() -> dict[KeyState, int]:
    """How many keys are in each state."""
    return {state: store.count(state) for state in KeyState}
