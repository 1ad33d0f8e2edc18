"""Refused sign-ins and API keys in the trail: counted by source and minute, so that nobody floods it (D1, D6).

The first refusal of a source leaves an entry at once; those that follow within a minute are counted, and told by the
next entry about that source, or once the minute is over by the next call to anybody. A process that ends within that
minute takes its count along. Sources are single addresses of IPv4 and networks of 64 bits of IPv6, as one host has a
whole such network. Beyond ``SOURCES`` a minute they are counted as one.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

from apps.access.trail import SignInEvent
from apps.audit.records import Event, Outcome, system
from apps.audit.services import record

GATE = system("gate")
WINDOW_SECONDS = 60.0
SOURCES = 64
ELSEWHERE = "elsewhere"


@dataclass(slots=True)
class _Window:
    """What one source was refused since its last entry."""

    opened: float
    count: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


class Refusals:
    """Counts of one event in this process."""

    def __init__(self, event: Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._event, self._clock = event, clock
        self._windows: dict[str, _Window] = {}
        self._lock = threading.Lock()

    def note(self, address: str, **detail: Any) -> None:
        """Count a refusal; it leaves an entry if it is the first of its source within a minute.

        Raises:
            AuditUnavailable: the entry cannot be written.
        """
        source = source_of(address)
        with self._lock:
            if source not in self._windows and len(self._windows) >= SOURCES:
                source = ELSEWHERE
            window = self._windows.get(source)
            if window is None:
                self._windows[source] = _Window(self._clock())
            else:
                window.count += 1
                window.detail = detail
        if window is None:
            self._record(source, 1, detail)

    def tell(self) -> None:
        """Write what was counted in windows that are over.

        Raises:
            AuditUnavailable: an entry cannot be written; what it would have told is told later.
        """
        over = self._clock() - WINDOW_SECONDS
        with self._lock:
            due = [source for source, window in self._windows.items() if window.opened <= over]
            told = [(source, self._windows.pop(source)) for source in due]
        for source, window in told:
            if window.count:
                self._record(source, window.count, window.detail)

    def forget(self) -> None:
        """Drop all counts."""
        with self._lock:
            self._windows.clear()

    def _record(self, source: str, count: int, detail: dict[str, Any]) -> None:
        record(GATE, self._event, outcome=Outcome.DENIED, source=source, count=count, **detail)


def source_of(address: str) -> str:
    """Return what counts as one source: an address, or the 64-bit network of one of IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Network((found, 64), strict=False))
    return str(found)


keys = Refusals(SignInEvent.KEY_REFUSED)
passwords = Refusals(SignInEvent.REFUSED)
locks = Refusals(SignInEvent.LOCKED)
factors = Refusals(SignInEvent.FACTOR_REFUSED)
strangers = Refusals(SignInEvent.POOL_REFUSED)
OF_PEOPLE = (passwords, locks, factors, strangers)
