"""How far things are counted while a caller waits. What a job works on it counts itself."""

from collections.abc import Iterable
from typing import Protocol

AT_ONCE = 10_000  # three Queries


class Counted(Protocol):
    """Counts what needs a pool key, up to a limit."""

    def __call__(self, key_id: str, /, *, limit: int) -> int: ...


def at_once(count: Counted, key_ids: Iterable[str]) -> int:
    """Count what needs any of some pool keys, up to AT_ONCE."""
    found = 0
    for key_id in key_ids:
        found += count(key_id, limit=AT_ONCE - found)
        if found >= AT_ONCE:
            break
    return found


def as_words(count: int) -> str:
    """Say a count, of which AT_ONCE may be more."""
    return f"{AT_ONCE:,} or more" if count >= AT_ONCE else f"{count:,}"
