"""Seeds of pool keys: opened for whoever may use them, and the kind of wrapped secret that they are.

A seed is at rest only as the root key wrapped it, bound to its record; opened, it stays in memory for a minute.
"""

from apps.common.caching import TimedCache
from apps.keys import pools, wrapped_secrets
from apps.keys.pool_records import PoolNotFound
from apps.keys.records import OPENS, REWRAPS, KeyUnusable, PoolKey
from apps.keys.store import PoolKeyTable
from apps.keys.wrapped_secrets import SecretKind, WrappedSecret, Wrapping
from qkdseal import kem

KIND = SecretKind(
    record="pool_key",
    subject="key_id",
    label="{}",
    table=PoolKeyTable,
    column=PoolKeyTable.wrapped_seed,
    unusable=KeyUnusable,
)
CACHE_SECONDS = 60.0  # a revoked key's seed leaves memory after at most this long
_kept = TimedCache[bytes](max_items=256, ttl_seconds=CACHE_SECONDS)
_whole = TimedCache[bool](max_items=1024, ttl_seconds=86_400)  # tags of rows whose halves belong together


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
        raise KeyUnusable(f"{key.key_id} is {key.state.label} and opens nothing.")
    if not rewrap:
        _check_opens(key)
    return _kept.get(key.key_id, lambda: unwrap(key))


def _check_opens(key: PoolKey) -> None:
    if key.destroy_after is not None:
        raise KeyUnusable(f"{key.key_id} awaits its destruction. Cancel that to use it.")
    minimum = _minimum_of(key)
    if key.version < minimum:
        raise KeyUnusable(
            f"{key.key_id} has version {key.version}, below the minimum {minimum}. Re-wrap what it sealed."
        )


def _minimum_of(key: PoolKey) -> int:
    try:
        return int(pools.known().find(key.pool).minimum)
    except PoolNotFound:
        raise KeyUnusable(f"The pool {key.pool} of {key.key_id} has no record; tell the operator.") from None


def secret_of(key: PoolKey) -> WrappedSecret:
    """A key's seed as it is kept.

    Raises:
        KeyUnusable: the key is destroyed.
    """
    if key.wrapped_seed is None:
        raise KeyUnusable(f"{key.key_id} is destroyed.")
    wrapping = Wrapping(key.root_key_id, key.wrapped_seed, key.recovery_seal, key.commitment)
    return WrappedSecret(
        KIND, key.key_id, wrapping, row=PoolKeyTable.of(key), check=lambda seed: _check(key, seed)
    )


def unwrap(key: PoolKey) -> bytes:
    """The seed as the root key opens it, whatever the state, checked against the public half.

    Raises:
        KeyUnusable: what is stored is not this key.
        RootKeyUnavailable: the root key cannot be used now.
    """
    return wrapped_secrets.unwrap(secret_of(key))


def check_halves(key: PoolKey) -> None:
    """Check that what is sealed to a key can be opened again, once per process and tag of its row (I4).

    The seed does not stay in memory for that.

    Raises:
        KeyUnusable: the row's seed is none of its public key.
        RootKeyUnavailable: the root key cannot be used now.
    """
    _whole.get(key.tag, lambda: bool(unwrap(key)))


def _check(key: PoolKey, seed: bytes) -> None:
    if len(seed) != key.suite.seed_size:
        raise KeyUnusable(f"{key.key_id} is damaged: its seed has another length.")
    if kem.public_key_of(seed, suite=key.suite) != key.public_key:
        raise KeyUnusable(f"{key.key_id} is damaged: its halves do not belong together.")


def forget(key_id: str) -> None:
    """Drop a key's seed from this process's memory."""
    _kept.forget(key_id)
