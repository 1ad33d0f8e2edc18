"""The minimum version of a pool: the lowest whose keys still open.

Raising it is how a whole generation of keys is taken out of use at once: they seal nothing more, and open only so
that their files can be re-wrapped. What that costs, and whose consent it needs, is decided by ``apps.custody``.
"""

from apps.audit.records import Actor
from apps.common.errors import Invalid
from apps.keys import pools
from apps.keys.pool_records import Pool
from apps.keys.trail import PoolEvent


def check_minimum(pool: Pool, version: int) -> None:
    """Check that a version may become the minimum of a pool.

    Raises:
        Invalid: no key has had it, and it is not the next one.
    """
    if not 1 <= version <= pool.current + 1:
        raise Invalid.of("minimum", f"the minimum is {pool.minimum}; enter 1 to {pool.current + 1}")


def raise_minimum(pool: Pool, version: int, *, actor: Actor) -> Pool:
    """Let no key of a pool below ``version`` open anything, and give new keys at least that version.

    Raises:
        Invalid: it is not above the minimum, or skips versions that no key has had.
        Refused: someone else changed the pool meanwhile.
    """
    if version <= pool.minimum:
        raise Invalid.of("minimum", f"the minimum is {pool.minimum}; enter {pool.minimum + 1} or more")
    check_minimum(pool, version)
    current = max(pool.current, version)
    return pools.change_versions(
        pool, event=PoolEvent.MINIMUM_RAISED, actor=actor, current=current, minimum=version
    )


def lower_minimum(pool: Pool, version: int, *, actor: Actor) -> Pool:
    """Let keys from ``version`` on open again what they sealed. None of them seals again by that.

    Raises:
        Invalid: it is not below the minimum.
        Refused: someone else changed the pool meanwhile.
    """
    if not 1 <= version < pool.minimum:
        raise Invalid.of("minimum", f"the minimum is {pool.minimum}; enter 1 to {pool.minimum - 1}")
    return pools.change_versions(
        pool, event=PoolEvent.MINIMUM_LOWERED, actor=actor, current=pool.current, minimum=version
    )
