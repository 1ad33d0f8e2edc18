"""A process that starts."""

from apps.common import wrapping
from apps.keys import seeds
from apps.sessions import finals


def process_starts() -> None:
    """Nothing unwrapped is in memory, and the root key is read again."""
    wrapping.root_key.cache_clear()
    seeds._kept.clear()
    finals._kept.clear()
