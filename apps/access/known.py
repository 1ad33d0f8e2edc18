"""Callers seen lately, so that not every call reads the tables."""

from apps.access.records import Caller
from apps.common.caching import TimedCache

CACHE_SECONDS = 30.0  # who was revoked or disabled elsewhere is refused here after at most this long
CACHE_ITEMS = 1024

callers = TimedCache[Caller](max_items=CACHE_ITEMS, ttl_seconds=CACHE_SECONDS)
