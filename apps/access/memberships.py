"""Groups of persons at the console, kept in memory for as long as callers are."""

from apps.access import principals
from apps.access.known import CACHE_ITEMS, CACHE_SECONDS
from apps.common.caching import TimedCache

_groups = TimedCache[frozenset[str]](max_items=CACHE_ITEMS, ttl_seconds=CACHE_SECONDS)


def groups_of(principal_id: str) -> frozenset[str]:
    """Return the groups that a person belongs to; none where they were not admitted, or are disabled."""
    return _groups.get(principal_id, lambda: _read(principal_id))


def forget() -> None:
    """Read groups again when they are asked for next."""
    _groups.clear()


def _read(principal_id: str) -> frozenset[str]:
    found = principals.find_all(principal_id).get(principal_id)
    return frozenset(found.groups) if found is not None and found.active else frozenset()
