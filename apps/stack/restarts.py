"""When what ended is started again: with back-off, and not for ever."""

from collections import deque

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds, doubled with each failure
WINDOW_SECONDS = 120.0  # a failure older than this no longer counts
MOST_FAILURES = 6  # within the window; the last of them is given up on
HOPELESS = {2: "it cannot start as it is configured", 74: "its disk is full or fails"}
"""Exit codes that another start does not mend, and what they mean."""


class Restarts:
    """The failures of each part, and what they give reason for."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def wait_after(self, name: str, exit_code: int, *, now: float) -> float | None:
        """Note that a part ended.

        Args:
            name: of the part.
            exit_code: negative for a signal.
            now: monotonic seconds.

        Returns:
            the seconds to wait before it is started again, or None where it is given up.
        """
        failures = self._failures.setdefault(name, deque())
        while failures and now - failures[0] > WINDOW_SECONDS:
            failures.popleft()
        failures.append(now)
        if exit_code in HOPELESS or len(failures) >= MOST_FAILURES:
            return None
        return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (len(failures) - 1)))

    def reason(self, name: str, exit_code: int) -> str:
        """Say why a part was given up."""
        if exit_code in HOPELESS:
            return HOPELESS[exit_code]
        return f"it ended {len(self._failures[name])} times within {WINDOW_SECONDS:.0f} s"
