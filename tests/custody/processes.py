"""A process that starts."""

from apps.common import wrapping
from apps.keys import services as keys
from apps.sessions import services as sessions


def process_starts() -> None:
    """Nothing unwrapped is in memory, and the root key is read again."""
    wrapping.root_key.cache_clear()
    keys._seeds.clear()
    sessions._finals.clear()
