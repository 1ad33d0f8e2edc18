"""The pool of KEM key pairs: made, found, picked, counted.

Their states change in ``transitions``; they are taken out of use by ``apps.custody.retirement``.
"""

import logging
import random
import uuid

from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.dynamodb import Page, Position
from apps.common.errors import Unavailable
from apps.keys import policy, pools, seeds, store, wrapped_secrets
from apps.keys.records import (
    DEFAULT_POOL,
    KeyNotFound,
    KeyState,
    KeyUnusable,
    PoolKey,
)
from apps.keys.store import PoolKeyTable
from apps.keys.trail import PoolKeyEvent
from qkdseal import kem

LEAST_USED = 10  # picked from at random, so that concurrent requests do not meet on one item
BATCH = 40  # keys made in one transaction: 40 rows, 40 entries, one head
PICK_SECONDS = 60.0
_picked = TimedCache[PoolKey](max_items=64, ttl_seconds=PICK_SECONDS)
log = logging.getLogger(__name__)


class PoolEmpty(Unavailable):
    """No active key to seal to."""


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
    count: int, *, actor: Actor, suite: kem.Suite = kem.DEFAULT_SUITE, pool: str = DEFAULT_POOL
) -> list[PoolKey]:
    """Make active key pairs, each with its audit entry."""
    version = policy.read().current
    made: list[PoolKey] = []
    while len(made) < count:
        count_now = min(BATCH, count - len(made))
        batch = [PoolKeyTable.of(_new_key(suite, version, pool)) for _ in range(count_now)]
        with transaction(actor) as tx:
            for row in batch:
                tx.put(row)
                tx.audit(
                    PoolKeyEvent.CREATED,
                    key_id=row.key,
                    suite=suite.value,
                    pool=pool,
                    commitment=row.record().commitment,
                )
        made.extend(row.record() for row in batch)
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
    """The key of a pool and suite that this process seals to for now: it stays with one for PICK_SECONDS.

    So a seed is unwrapped, to check its halves, once in a while only, and most picks cost no call.

    Raises:
        PoolEmpty, KeyUnusable, RecordForged: as ``choose``.
    """
    return _picked.get(_pick_name(pool, suite), lambda: choose(pool, suite))


def choose(
    pool: str = DEFAULT_POOL, suite: kem.Suite = kem.DEFAULT_SUITE, *, but: str | None = None
) -> PoolKey:
    """One of the least used active keys of a pool and suite, at random among them, with halves that belong together.

    Args:
        pool: its name.
        suite: of the key.
        but: id of a key that is not wanted.

    Raises:
        PoolEmpty: no key is active; a refill is due.
        KeyUnusable: all that are active are damaged.
        RecordForged: none of those that are listed is authentic.
        RootKeyUnavailable: the root key cannot be used now.
    """
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


def _pick_name(pool: str, suite: kem.Suite) -> str:
    return f"{pool}|{suite}"


def count_use(tx: Transaction, key: PoolKey, *, uses: int = 1, message: bool = False) -> None:
    """Count uses, in the transaction of what the key is used for: the key is still as it was verified.

    A message's package stays with its client, where nothing can re-wrap it: such uses are counted separately.

    Raises (at commit):
        KeyUnusable: the key is no longer active, or was re-wrapped; the next pick is of another.
    """

    def changed() -> KeyUnusable:
        forget(key)
        return KeyUnusable(f"{key.key_id} was taken out of use or changed meanwhile. Use another key.")

    counted: list[Action] = [PoolKeyTable.usage.add(uses), PoolKeyTable.last_used_at.set(clock.now())]
    tx.update(
        PoolKeyTable.of(key),
        [*counted, PoolKeyTable.messages.add(uses)] if message else counted,
        condition=PoolKeyTable.state == KeyState.ACTIVE,
        otherwise=changed,
    )


def keys_page(
    *, limit: int, position: Position | None = None, state: KeyState | None = None
) -> Page[PoolKey]:
    """Pool keys, newest first."""
    return store.keys_page(limit=limit, position=position, state=state)


def counts() -> dict[KeyState, int]:
    """How many keys are in each state."""
    return {state: store.count(state) for state in KeyState}
