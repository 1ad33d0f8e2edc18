"""Waiting for what must come to pass, however slow the machine is: only what never comes fails."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

# Far below the limit of a test (pyproject.toml), so that what was waited for is told; far beyond what a loaded machine needs
LIMIT_SECONDS = 240.0
POLL_SECONDS = 0.02


def wait_for(condition: Callable[[], Any], *, work: Future[Any] | None = None) -> None:
    """Wait until a condition holds.

    Args:
        condition: asked again and again.
        work: brings it about. An error of it is raised here.
    """
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if work is not None and work.done():
            work.result()
            assert condition(), "the work ended before the condition held"
            return
        assert time.monotonic() < deadline, f"nothing within {LIMIT_SECONDS:.0f} s"
        time.sleep(POLL_SECONDS)
