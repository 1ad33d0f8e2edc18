"""What must be so that something can be sealed: the right root key, and a pool key for each purpose."""

from collections.abc import Callable, Mapping

from apps.common.health import Outlook
from apps.common.root_keys.configured import root_key
from apps.common.scheduling import Schedule, due
from apps.keys import canaries, pools, services, store
from apps.keys.pool_records import PoolEmpty, Purpose


def _root_key() -> None:
    """Wrap and unwrap a probe, and open what was wrapped before.

    Raises:
        RootKeyUnavailable: it does not answer, or is another one.
        ValueError: it gives back something else.
    """
    root, context = root_key(), {"record": "health"}
    if root.unwrap(root.wrap(b"probe", context=context), context=context) != b"probe":
        raise ValueError("the root key does not give back what it wrapped")
    canaries.open_all()


def _pool_keys() -> None:
    """Find an active key in the pool of each purpose.

    Raises:
        PoolEmpty: one of them has none.
    """
    for pool in {pool.name: pool for pool in map(pools.default, Purpose)}.values():
        if not store.least_used(1, pool.name, pool.suite):
            raise PoolEmpty(f"No key of the pool {pool.name} is active.")


def _pool_outlook() -> Outlook:
    """Pool keys are made by the refill's first parts, and by whoever finds a pool empty."""
    why = "No key of a pool is active."
    refill = due(Schedule.REFILL, services.REFILLED)
    if refill.is_running:
        return Outlook(f"{why} Keys are being made.", refilling=True, expected_at=refill.at)
    return Outlook(f"{why} The next refill makes them, or who asks for one.", expected_at=refill.at)


CHECKS: dict[str, Callable[[], None]] = {"root_key": _root_key, "pool_keys": _pool_keys}
OUTLOOKS: Mapping[str, Callable[[], Outlook]] = {"pool_keys": _pool_outlook}
