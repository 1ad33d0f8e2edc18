"""Pools of their own, and keys that came from outside."""

from typing import Any

from apps.custody import activation, approvals
from apps.keys import pools, services, transfer
from apps.keys.records import PoolKey
from qkdseal import kem
from tests.conftest import TESTS
from tests.custody.people import ALICE, BOB

OUTSIDE = "outside"  # accepts imports


def pool_of(name: str, **chosen: Any) -> None:
    """A pool, filled."""
    pools.make(name, actor=TESTS, **chosen)
    services.refill(actor=TESTS)


def imported(seed: bytes, *, suite: kem.Suite = kem.Suite.XWING, pool: str = OUTSIDE) -> PoolKey:
    """A key from outside, in a pool that accepts it."""
    if pool not in pools.known().pools:
        pools.make(pool, accepts_imports=True, suite=suite if suite.seals else kem.Suite.XWING, actor=TESTS)
    return transfer.import_pair(seed, suite=suite, reason="moved here", actor=TESTS, pool=pool)


def activated(key: PoolKey) -> PoolKey:
    """An imported key in use, as two persons agreed."""
    asked = activation.request(key.key_id, reason="in use", actor=ALICE)
    approvals.approve(asked.approval_id, actor=BOB)
    return activation.activate(asked.approval_id, actor=ALICE)
