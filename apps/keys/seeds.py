"""Seeds of pool keys: opened for who may use them, wrapped anew, sealed for recovery.

A seed is at rest only as the root key wrapped it, bound to its record; opened, it stays in memory for a minute.
"""

from apps.audit.records import Actor, Event
from apps.audit.services import transaction
from apps.common.caching import TimedCache
from apps.common.dynamodb import feed
from apps.common.root_keys.configured import root_key, wrap_checked
from apps.common.root_keys.interface import UnwrapFailed
from apps.keys import policy, recovery_seal, store
from apps.keys.records import OPENS, REWRAPS, KeyUnusable, PoolKey
from apps.keys.store import PoolKeyTable
from apps.keys.trail import SecretEvent
from qkdseal import kem

CACHE_SECONDS = 60.0  # a revoked key's seed leaves memory after at most this long
_kept = TimedCache[bytes](max_items=256, ttl_seconds=CACHE_SECONDS)


def context_of(key_id: str) -> dict[str, str]:
    """What a key's seed is bound to."""
    return {"record": "pool_key", "id": key_id}


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
    return _kept.get(key.key_id, lambda: unwrapped(key))


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
    if kem.public_key_of(checked_seed(key, seed), suite=key.suite) != key.public_key:
        raise KeyUnusable(f"Key {key.key_id} is damaged: its halves do not belong together.")
    return seed


def rewrapped(key: PoolKey, seed: bytes, *, event: Event, actor: Actor) -> PoolKey:
    """Wrap a key's seed under the current root key, in the place of what is stored.

    Raises:
        KeyUnusable: the seed is not this key's.
        Conflict: the record was changed meanwhile; nothing was.
    """
    root = root_key()
    if kem.public_key_of(checked_seed(key, seed), suite=key.suite) != key.public_key:
        raise KeyUnusable(f"The seed does not belong to key {key.key_id}.")
    wrapped = wrap_checked(seed, context=context_of(key.key_id))
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
    return PoolKeyTable.get(key.key_id, consistent_read=True).record()


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
    seal = recovery_seal.demanded(unwrapped(key), context=context_of(key.key_id))
    with transaction(actor) as tx:
        tx.update(
            PoolKeyTable.of(key),
            [PoolKeyTable.recovery_seal.set(seal)],
            condition=PoolKeyTable.wrapped_seed == key.wrapped_seed,
        )
        tx.audit(SecretEvent.SEALED, key_id=key.key_id, recovery_key_id=seal[: recovery_seal.ID_SIZE].hex())


def wrapped_under(root_key_id: str) -> list[str]:
    """Ids of the keys whose seed a root key wraps: one Query for each shard."""
    return list(store.wrapped_under(root_key_id))


def wrapped_count(root_key_id: str) -> int:
    """How many seeds a root key wraps."""
    return store.wrapped_count(root_key_id)


def forget(key_id: str) -> None:
    """Drop a key's seed from this process's memory."""
    _kept.forget(key_id)
