"""Until when the process may work on what it was called for: Lambda ends a function without asking."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float | None] = ContextVar("ends", default=None)  # on the monotonic clock


@contextmanager
def ending_in(seconds: float) -> Iterator[None]:
    """Let the block know that it is ended in so many seconds."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left() -> float | None:
    """Return the seconds until this process is ended; None where nobody ends it, as with Celery's own worker."""
    ends = _ends.get()
    return None if ends is None else max(0.0, ends - time.monotonic())
