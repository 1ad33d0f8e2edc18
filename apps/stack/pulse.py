"""Whether the embedded AWS still answers: a process that is there and stands still is no use to anybody."""

import threading
import time
from collections.abc import Callable

from apps.stack.ports import status_of

ASK_SECONDS = 2.0
FROZEN_SECONDS = 30.0  # far beyond any pause of its own
MOST_SECONDS = (
    8.0  # that one question, with its time-out, counts for: beyond that this process itself stood still
)
ALIVE_PATH = "/_ministack/health"


class Pulse:
    """Asks in a thread of its own, as an answer may take long."""

    def __init__(self, port: int, *, ask: Callable[[], int | None] | None = None) -> None:
        self._ask = ask or (lambda: status_of("127.0.0.1", port, ALIVE_PATH))
        self._silent = 0.0  # seconds without an answer, as far as it was asked in them
        self._expected = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_asking, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def expect_later(self) -> None:
        """It was started again: until it first answers, its journal may be long."""
        self._expected = False

    @property
    def frozen(self) -> bool:
        """Return whether it answered once and then not for FROZEN_SECONDS, in which it was asked again and again."""
        return self._expected and self._silent > FROZEN_SECONDS

    def _keep_asking(self) -> None:
        asked = time.monotonic()
        while not self._stop.wait(ASK_SECONDS):
            answers = self._ask() == 200
            now = time.monotonic()
            if answers:
                self._silent, self._expected = 0.0, True
            else:
                # Not by the clock alone: a supervisor that was stopped and goes on would end an AWS that is well
                self._silent += min(now - asked, MOST_SECONDS)
            asked = now
