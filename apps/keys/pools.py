"""Separate pools for tenants or purposes: whose files and messages are sealed to which keys.

``KEY_POOLS`` describes them as JSON. An owner goes before a purpose; what matches neither takes keys of ``default``:

    {"payroll": {"owners": ["client:qk12"], "target": 20}, "chat": {"purposes": ["messages"]}}
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured

from apps.keys.records import DEFAULT_POOL, Purpose

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
FIELDS = {"owners", "purposes", "target"}


@dataclass(frozen=True, slots=True)
class Pool:
    """Keys that are picked, refilled and rotated together."""

    name: str
    target: int
    owners: frozenset[str] = frozenset()
    purposes: frozenset[Purpose] = frozenset()

    @property
    def low_water(self) -> int:
        """Below it the pool is refilled: the same share of the target in every pool."""
        return -(-self.target * min(settings.POOL_LOW_WATER, settings.POOL_TARGET) // settings.POOL_TARGET)


def known() -> dict[str, Pool]:
    """The default pool and those of ``KEY_POOLS``, by name.

    Raises:
        ImproperlyConfigured: one of them is not described as above, or an owner or purpose has two.
    """
    named = [_pool_from(name, given) for name, given in settings.KEY_POOLS.items()]
    for kind in ("owners", "purposes"):
        every = [one for pool in named for one in getattr(pool, kind)]
        if len(every) != len(set(every)):
            raise ImproperlyConfigured(
                f"KEY_POOLS: two pools name the same of {kind}. Each may be in one pool."
            )
    return {pool.name: pool for pool in (Pool(DEFAULT_POOL, settings.POOL_TARGET), *named)}


def _pool_from(name: str, given: Any) -> Pool:
    if not NAME.fullmatch(name) or name == DEFAULT_POOL:
        raise ImproperlyConfigured(
            f"KEY_POOLS: {name!r} is no valid name. Use a to z, 0 to 9 and -, up to 32 characters, and not default."
        )
    if not isinstance(given, Mapping) or set(given) - FIELDS:
        raise ImproperlyConfigured(f"KEY_POOLS: describe {name} by {', '.join(sorted(FIELDS))} only.")
    target = given.get("target", settings.POOL_TARGET)
    owners, purposes = given.get("owners", []), given.get("purposes", [])
    if not isinstance(target, int) or target < 1:
        raise ImproperlyConfigured(f"KEY_POOLS: the target of {name} must be a whole number, at least 1.")
    if not all(isinstance(one, str) and ":" in one for one in owners):
        raise ImproperlyConfigured(f"KEY_POOLS: write the owners of {name} as client:<id> or user:<name>.")
    if not set(purposes) <= set(Purpose):
        raise ImproperlyConfigured(f"KEY_POOLS: the purposes of {name} must be among {', '.join(Purpose)}.")
    return Pool(name, target, frozenset(owners), frozenset(map(Purpose, purposes)))


def pool_for(owner: str, purpose: Purpose) -> str:
    """The pool that an owner's files or messages are sealed to."""
    pools = known().values()
    by_owner = (pool.name for pool in pools if owner in pool.owners)
    by_purpose = (pool.name for pool in pools if purpose in pool.purposes)
    return next(by_owner, None) or next(by_purpose, DEFAULT_POOL)


def existing_or_default(name: str) -> str:
    """The pool itself, or the default one where it is configured no more."""
    return name if name in known() else DEFAULT_POOL


def pools_are_described(**_: Any) -> list[Error]:
    """``manage.py check`` fails on a KEY_POOLS that is not understood."""
    try:
        known()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="keys.E001")]
    return []
