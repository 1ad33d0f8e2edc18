"""``Prefer: respond-async, wait=N`` (RFC 7240): how long a caller waits for a result before it takes what there is.

A wait holds a thread of the server, or an instance of the function, so a process keeps few at a time, and a principal
begins so many in a minute (I11, ``apps.access.limits``): who comes after them is answered at once, as without the
preference, which ``Preference-Applied`` then does not name. What is malformed or unknown is ignored, as the RFC wants it.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TypeVar

from django.conf import settings

from apps.common import deadline

HEADER = "Prefer"
APPLIED = "Preference-Applied"
LONGEST_SECONDS = 25.0  # the gateway ends a request after 29
RESERVE_SECONDS = 3.0  # of what is left of a function's time, for the answer
AT_ONCE = 3  # waits of a process, of the eight threads that its server has
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0  # seconds between two looks
_WAIT = re.compile(r"[0-9]{1,9}", re.ASCII)
_places = threading.BoundedSemaphore(AT_ONCE)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Preference:
    """What a request prefers; ``wait`` in seconds, None where it does not say."""

    responds_async: bool = False
    wait: int | None = None

    @property
    def is_given(self) -> bool:
        """Return whether the request prefers anything of this."""
        return self.responds_async or self.wait is not None


def read(header: str) -> Preference:
    """Read the header's value; of a preference that is given twice, the first counts."""
    found: dict[str, str] = {}
    for part in header.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = found.get("wait", "")
    return Preference("respond-async" in found, int(wait) if _WAIT.fullmatch(wait) else None)


def longest() -> float:
    """The seconds that a request may wait here: in a function fewer, as it serves nobody else meanwhile."""
    left = deadline.seconds_left()
    return LONGEST_SECONDS if left is None else min(settings.WAIT_SECONDS, left - RESERVE_SECONDS)


def await_result(
    first: T, look: Callable[[], T], *, is_there: Callable[[T], bool], seconds: float
) -> T | None:
    """Look again until a result is there or the time is over; None where this process keeps enough waiting.

    Args:
        first: what was seen before.
        look: sees it anew.
        is_there: whether it is what is waited for.
        seconds: at most; less where the process is ended before, or the gateway answers.
    """
    if not _places.acquire(blocking=False):
        return None
    try:
        until, pause, found = monotonic() + min(seconds, longest()), FIRST_PAUSE, first
        while not is_there(found) and (rest := until - monotonic()) > 0:
            sleep(min(pause, rest))
            pause = min(LONGEST_PAUSE, 1.5 * pause)
            found = look()
        return found
    finally:
        _places.release()
