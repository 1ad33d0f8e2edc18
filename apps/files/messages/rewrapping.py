"""Messages moved to another pool key without showing what they say: only their envelopes change (C14).

The package comes from the client and goes back to it, so that what was sealed to a key that ends can be kept. From
then on the quantum key's record names the new pool key; of a message of a batch a record of its own does, since the
others stay where they are.
"""

from collections.abc import Mapping
from typing import Any

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common.errors import Invalid, Refused
from apps.files.messages.opening import UNIFORM, find
from apps.files.messages.sealing import pool_of
from apps.files.trail import MessageEvent
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.records import KeyNotFound, KeyState, KeyUnusable, PoolKey
from apps.sessions import sealed_messages
from apps.sessions.records import QuantumKey
from qkdseal.envelope import rewrap as rewrap_envelope
from qkdseal.errors import PackageInvalid
from qkdseal.package import Package
from qkdseal.quantum_keys import split_key_id


def rewrap(document: Mapping[str, Any], *, actor: Actor, pool: str | None = None) -> Package:
    """Seal a package's secret to a pool key in use; its body, context and passphrase stay as they are.

    A package that is sealed to an active key of the pool already is given back as it is.

    Args:
        document: the package.
        actor: who asks; the one who encrypted it, or who sees all.
        pool: name or alias of the pool to move to; without it, the one that the actor's messages are sealed to.

    Raises:
        Invalid: it is no package of theirs, or of the compatibility suite.
        Refused: its pool key is destroyed or compromised beyond re-wrapping.
        PoolNotFound, Forbidden, PoolEmpty: as ``encrypt``.
    """
    package, taken = find(document, actor=actor)
    if not isinstance(package, Package):
        raise Invalid.of("package", "Packages of the compatibility suite cannot be re-wrapped. Encrypt anew.")
    source = _source(package)
    wanted = pool_of(actor, pool)
    if source.state is KeyState.ACTIVE and source.pool == wanted:
        return package
    target = keys.pick(wanted)
    moved = _moved(package, source, target)
    _commit(package, taken, target, actor)
    return moved


def _source(package: Package) -> PoolKey:
    try:
        return keys.find(package.pool_key_id)
    except KeyNotFound:
        raise Invalid.of("package", UNIFORM) from None


def _moved(package: Package, source: PoolKey, target: PoolKey) -> Package:
    try:
        envelope = rewrap_envelope(
            package.envelope,
            seed=seeds.seed_of(source, rewrap=True),
            pool_suite=source.suite,
            new_pool_key_id=target.key_id,
            new_public_key=target.public_key,
            new_suite=target.suite,
            new_seed=seeds.seed_of(target),
        )
    except PackageInvalid:
        raise Invalid.of("package", UNIFORM) from None
    except KeyUnusable as error:
        raise Refused(f"The package cannot be moved: {error.detail}") from None
    return Package(envelope=envelope, body=package.body)


def _commit(package: Package, taken: QuantumKey, target: PoolKey, actor: Actor) -> None:
    """Count the new pool key's use, and remember that the message needs it."""
    _, index = split_key_id(package.header.quantum_key_id)
    with transaction(actor) as tx:
        sealed_messages.seal_to(tx, taken, index=index, sealed_by=target.key_id)
        keys.count_use(tx, target, message=True)
        tx.audit(
            MessageEvent.REWRAPPED,
            file_id=package.header.file_id,
            key_id=package.pool_key_id,
            session_id=taken.session_id,
            new_key_id=target.key_id,
        )
