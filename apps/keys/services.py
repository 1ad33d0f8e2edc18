"""The pool of KEM key pairs: made, found, picked, counted.

Their states change in ``transitions``; they are taken out of use by ``apps.custody.retirement``.
"""

import random
import uuid

from pynamodb.expressions.update import Action

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common import clock
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
        pool=pool,
    )


def create(
    count: int, *, actor: Actor, suite: kem.Suite = kem.DEFAULT_SUITE, pool: str = DEFAULT_POOL
) -> list[PoolKey]:
    """Make active key pairs, each with its audit entry."""
    version = policy.read().current
    made: list[PoolKey] = []
    while len(made) < count:
        batch = [_new_key(suite, version, pool) for _ in range(min(BATCH, count - len(made)))]
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
        raise PoolEmpty("The key pool is empty. It is being refilled: try again in a moment.")
    return random.choice(candidates)  # noqa: S311 - spreads load, decides nothing secret


def count_use(tx: Transaction, key: PoolKey, *, uses: int = 1, message: bool = False) -> None:
    """Count uses, in the transaction of what the key is used for.

    A message's package stays with its client, where nothing can re-wrap it: such uses are counted separately.

    Raises (at commit):
        KeyUnusable: the key is no longer active.
    """
    counted: list[Action] = [PoolKeyTable.usage.add(uses), PoolKeyTable.last_used_at.set(clock.now())]
    tx.update(
        PoolKeyTable.of(key),
        [*counted, PoolKeyTable.messages.add(uses)] if message else counted,
        condition=PoolKeyTable.state == KeyState.ACTIVE,
        otherwise=KeyUnusable(f"{key.key_id} is no longer active. Use another key."),
    )


def keys_page(
    *, limit: int, position: Position | None = None, state: KeyState | None = None
) -> Page[PoolKey]:
    """Pool keys, newest first."""
    return store.keys_page(limit=limit, position=position, state=state)


def counts() -> dict[KeyState, int]:
    """How many keys are in each state."""
    return {state: store.count(state) for state in KeyState}
