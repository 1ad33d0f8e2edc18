"""A process that starts."""

from apps.common.root_keys import configured
from apps.keys import seeds
from apps.sessions import finals


def process_starts() -> None:
    """Nothing unwrapped is in memory, and the root key is read again."""
    configured.root_key.cache_clear()
    seeds._kept.clear()
    finals._kept.clear()
