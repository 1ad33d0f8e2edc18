"""Key pairs from and to the outside: imported by their seed, exported only sealed to a recipient.

export = HPKE-Seal(recipient's public key, seed, info = label || suite || key id)
"""

import uuid
from dataclasses import dataclass, field

from apps.audit.records import Actor
from apps.audit.services import Transaction, transaction
from apps.common.errors import Invalid, Refused
from apps.common.idempotency import keep
from apps.keys import pools, seeds, services
from apps.keys.pool_records import DEFAULT_POOL, Pool
from apps.keys.records import KeyState, KeyUnusable, PoolKey
from apps.keys.store import PoolKeyTable
from apps.keys.trail import PoolKeyEvent
from qkdseal import kem
from qkdseal.kem import Suite

NAMESPACE = uuid.UUID("7f9d3f2c-52f0-4d69-9e0f-6f3e6a6a1c0b")  # of the ids of imported keys
LABEL = b"qkdplatform pool key export v1"


@dataclass(frozen=True, slots=True)
class Exported:
    """A seed that only the recipient opens."""

    key_id: str
    suite: Suite
    public_key: bytes
    recipient_suite: Suite
    sealed_seed: bytes = field(repr=False)


def import_pair(seed: bytes, *, suite: Suite, reason: str, actor: Actor, pool: str = DEFAULT_POOL) -> PoolKey:
    """Import a key pair by its seed; it is ``pre_active`` until someone activates it.

    The id is derived from the public key, so that a pair is imported once.

    Raises:
        Invalid: not a seed of the suite (an expanded ML-KEM key is told why it cannot be imported), or of another suite than the pool's.
        PoolNotFound: no such pool.
        Forbidden: the actor does not manage the pool.
        Refused: the pair was imported before, or the pool takes no imported keys.
    """
    try:
        public = kem.public_key_of(seed, suite=suite)
    except ValueError as error:
        raise Invalid.of("seed", str(error)) from None
    key_id = id_of_import(public)
    pair = kem.KeyPair(suite=suite, seed=seed, public_key=public)
    found = pools.read().find(pool)
    check_accepts_imports(found, actor)
    if suite.seals and suite is not found.suite:
        raise Invalid.of("suite", f"keys of pool {found.name} have the suite {found.suite}")
    key = services.wrap_pair(
        pair, key_id=key_id, state=KeyState.PRE_ACTIVE, version=found.current, pool=found.name
    )
    with transaction(actor) as tx:
        keep(tx, "pool key", key_id=key_id)
        tx.put(PoolKeyTable.of(key), otherwise=Refused(f"This key pair was imported already. Use {key_id}."))
        tx.audit(
            PoolKeyEvent.IMPORTED,
            key_id=key_id,
            suite=suite.value,
            pool=found.name,
            commitment=key.commitment,
            reason=reason,
        )
    return services.find(key_id)


def check_accepts_imports(pool: Pool, actor: Actor) -> None:
    """Check that a pool takes keys from outside, and that the actor manages it.

    Raises:
        Forbidden: another pool's manager.
        Refused: it takes none.
    """
    pools.check_managed(pool, actor)
    if not pool.accepts_imports:
        raise Refused(f"Pool {pool.name} takes no imported keys. Name one that accepts imports.")


def id_of_import(public_key: bytes) -> str:
    """The id of an imported pair."""
    return f"pk-{uuid.uuid5(NAMESPACE, public_key.hex())}"


def check_recipient(public_key: bytes, *, suite: Suite) -> None:
    """Check that something can be sealed to this public key.

    Raises:
        Invalid: it is none of the suite.
    """
    if not suite.seals:
        raise Invalid.of("recipient_suite", f"keys of the suite {suite} seal nothing")
    try:
        kem.check_public_key(public_key, suite=suite)
    except ValueError as error:
        raise Invalid.of("recipient_public_key", str(error)) from None


def check_exportable(key: PoolKey) -> None:
    """Check that there is a seed to export.

    Raises:
        KeyUnusable: the key is destroyed.
    """
    if key.wrapped_seed is None:
        raise KeyUnusable(f"{key.key_id} is destroyed and cannot be exported.")


def info_of(key_id: str, suite: Suite) -> bytes:
    """The HPKE info that binds an exported seed to its key; the recipient needs the same bytes to open it."""
    return b"\x00".join((LABEL, suite.encode(), key_id.encode()))


def export(tx: Transaction, key: PoolKey, *, recipient: bytes, suite: Suite) -> Exported:
    """Seal a key's seed to a recipient; the transaction's entry is to be committed before it is given out.

    Raises:
        KeyUnusable: destroyed, or damaged.
        Invalid: not a public key of the suite.
    """
    check_exportable(key)
    check_recipient(recipient, suite=suite)
    sealed = kem.seal_secret(
        seeds.unwrap(key), suite=suite, public_key=recipient, info=info_of(key.key_id, key.suite)
    )
    tx.audit(PoolKeyEvent.EXPORTED, key_id=key.key_id, recipient=kem.fingerprint(recipient))
    return Exported(key.key_id, key.suite, key.public_key, suite, sealed)
