"""How long the client goes on trying: with growing pauses, until there was no progress for a minute."""

import random
import time
from collections.abc import Callable

SECONDS = 60.0  # longer than a restart of the server takes, and any of its deployments
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
TELL_AFTER = 1.0  # seconds until the user is told why nothing happens


def nobody(_text: str) -> None:
    """Tell nobody."""


class Patience:
    """The tries of one request. ``pause`` waits before the next one, or says that there is none."""

    def __init__(self, seconds: float = SECONDS, *, tell: Callable[[str], object] = nobody) -> None:
        self._seconds, self._tell = seconds, tell
        self._began, self._next, self._told = time.monotonic(), FIRST_PAUSE, False

    def pause(self, why: str, *, at_least: float = 0.0) -> bool:
        """Wait before another try; return False at once where the time for that is over.

        Args:
            why: what the user is told once, when it lasts.
            at_least: seconds that the server asked to wait.
        """
        left = self._began + self._seconds - time.monotonic()
        wait = max(at_least, self._next * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, no secret
        if wait > left:
            return False
        self._next = min(2 * self._next, LONGEST_PAUSE)
        if not self._told and self._seconds - left + wait > TELL_AFTER:
            self._told = True
            self._tell(f"{why} Trying again for {left:.0f} s.")
        time.sleep(wait)
        return True
