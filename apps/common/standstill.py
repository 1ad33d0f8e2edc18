"""What waits for a person, or soon will, on one page: each app declares in ``stuck.py`` what may get stuck in it.

``manage.py stuck`` asks for it; pages and readiness show what ``latest`` knows. A check reads indexes only and at most
MOST records, so that it is cheap where much is stuck.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db import connection

from apps.common import clock
from apps.common.declarations import modules_named

log = logging.getLogger(__name__)
MOST = 200  # records that one check looks at; "200 or more" is enough to act
EXAMPLES = 5
KEPT_SECONDS = 60.0  # whatever stands still does so for longer


@dataclass(frozen=True, slots=True)
class Stuck:
    """Some records, or messages, that do not get on by themselves, or only later than they should."""

    what: str
    count: int  # MOST stands for that or more
    action: str  # what to do, as a sentence
    oldest: datetime | None = None
    examples: tuple[str, ...] = ()  # their ids
    may_pass: bool = False  # how long it has been so is not known: a message may be taken up a moment later


Check = Callable[[], Iterable[Stuck]]


def of(what: str, items: Iterable[tuple[str, datetime | None]], *, action: str) -> list[Stuck]:
    """Sum up the items of one kind, as ``(id, since when)``; nothing where there are none."""
    some = list(islice(items, MOST))
    if not some:
        return []
    times = [moment for _, moment in some if moment is not None]
    examples = tuple(name for name, _ in some[:EXAMPLES])
    return [Stuck(what, len(some), action, min(times, default=None), examples)]


def found() -> list[Stuck]:
    """Ask every check; one that fails is told too, and does not keep the others from being asked."""
    told: list[Stuck] = []
    for module in modules_named("stuck"):
        for check in module.CHECKS:
            try:
                told += check()
            except Exception:
                log.exception("what is stuck in %s is not known", module.__name__)
                unknown = f"what is stuck in {module.__name__.split('.')[1]} is not known"
                told.append(Stuck(unknown, 1, "Look into the log, and whether AWS answers."))
    return told


@dataclass(frozen=True, slots=True)
class Known:
    """What was stuck at a moment."""

    stuck: tuple[Stuck, ...]
    at: datetime


class Watch:
    """Asks in a thread of its own, as AWS may hang, and at most once at a time: nobody who wants to know waits for it."""

    def __init__(self, ask: Callable[[], Iterable[Stuck]]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._known: Known | None = None
        self._asked_at = float("-inf")

    def refresh(self) -> None:
        """Have it asked again where the answer is old."""
        with self._lock:
            if self._asking is not None or time.monotonic() - self._asked_at < KEPT_SECONDS:
                return
            self._asking = threading.Thread(target=self._run, name="standstill", daemon=True)
            self._asking.start()

    def latest(self, *, wait: float) -> Known | None:
        """Return the last answer, a new one where that comes in time; None where there is none yet.

        Args:
            wait: seconds at most.
        """
        self.refresh()
        with self._lock:
            asking = self._asking
        if asking is not None:
            asking.join(wait)
        return self._known

    def _run(self) -> None:
        try:
            self._known = Known(tuple(self._ask()), clock.now())
        finally:
            connection.close()  # of this thread
            with self._lock:
                self._asked_at = time.monotonic()
                self._asking = None


_watch = Watch(found)


def refresh() -> None:
    """Have it asked in the background what is stuck, where the last answer is old."""
    _watch.refresh()


def latest(*, wait: float = 0.5) -> Known | None:
    """Return what is stuck as far as is known, and when it was asked, at most KEPT_SECONDS ago; None: not known yet."""
    return _watch.latest(wait=wait)


def forget() -> None:
    """Let the next caller ask again."""
    global _watch  # noqa: PLW0603 - one for the process
    _watch = Watch(found)
