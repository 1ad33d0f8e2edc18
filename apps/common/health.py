"""Liveness and readiness (E5): is the process up, and does each thing that it needs answer, how fast.

Apps declare what must answer in ``readiness.py``, and where they know it, when what does not is expected to: that is
asked of what failed alone. One probe at a time serves all who ask, and its answer counts for a
second. A check that hangs is not waited for, nor asked again while it hangs: each has at most one thread.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection

from apps.common.declarations import modules_named

log = logging.getLogger(__name__)
PROBE_SECONDS = 2.0  # the answer itself takes the rest of three seconds on a busy machine
KEPT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """Why something is not there, whether it is being made, and when it is there as a rule; None: nobody knows."""

    why: str
    refilling: bool = False
    expected_at: datetime | None = None


SILENT = Outlook("It does not answer, or not as it should.")


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one dependency answered, in how many milliseconds, and what is known of one that did not."""

    name: str
    ok: bool
    milliseconds: float
    outlook: Outlook = SILENT


def declared() -> dict[str, Callable[[], None]]:
    """Return every check of the apps by its name; each raises where its dependency does not work."""
    return {name: check for module in modules_named("readiness") for name, check in module.CHECKS.items()}


def outlook(name: str) -> Outlook:
    """Ask the app whose check failed when it is expected to succeed."""
    for module in modules_named("readiness"):
        if name in getattr(module, "OUTLOOKS", {}):
            found: Outlook = module.OUTLOOKS[name]()
            return found
    return SILENT


class Probe:
    """Asks every dependency at once, for all who want to know."""

    def __init__(self, checks: Callable[[], dict[str, Callable[[], None]]]) -> None:
        self._checks = checks
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._answered: list[Check] = []
        self._at = float("-inf")
        self._running: dict[str, tuple[float, Future[Check]]] = {}

    def ask(self) -> list[Check]:
        """Return what each dependency answered, at most KEPT_SECONDS ago; takes at most PROBE_SECONDS."""
        with self._asking:  # whoever waits here gets the answer of who asks
            if time.monotonic() - self._at >= KEPT_SECONDS:
                self._answered = self._ask_all(time.monotonic() + PROBE_SECONDS)
                self._at = time.monotonic()
            return self._answered

    def _ask_all(self, deadline: float) -> list[Check]:
        checks = self._checks()
        asked = {name: self._start(name, check) for name, check in checks.items()}
        answered = [self._answer(name, *started, deadline) for name, started in asked.items()]
        silent = [check.name for check in answered if not check.ok]
        if silent:
            log.warning("not ready: %s", ", ".join(silent))
        return answered

    def _start(self, name: str, check: Callable[[], None]) -> tuple[float, Future[Check]]:
        """Ask one dependency in a thread of its own, unless it still owes the last answer."""
        with self._lock:
            if name not in self._running:
                begun = (time.monotonic(), Future[Check]())
                self._running[name] = begun
                threading.Thread(
                    target=self._run, args=(name, check, *begun), name=f"ready-{name}", daemon=True
                ).start()
            return self._running[name]

    def _run(self, name: str, check: Callable[[], None], began: float, answer: Future[Check]) -> None:
        try:
            check()
            found = Check(name, ok=True, milliseconds=_since(began))
        except Exception:  # noqa: BLE001 - whatever it is, the dependency does not work; details are not public
            found = _with_outlook(Check(name, ok=False, milliseconds=_since(began)))
        finally:
            connection.close()  # of this thread
        with self._lock:
            del self._running[name]
        answer.set_result(found)

    @staticmethod
    def _answer(name: str, began: float, answer: Future[Check], deadline: float) -> Check:
        try:
            return answer.result(timeout=max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            return Check(name, ok=False, milliseconds=_since(began))


def _with_outlook(failed: Check) -> Check:
    try:
        return replace(failed, outlook=outlook(failed.name))
    except Exception as error:  # noqa: BLE001 - as above: then nothing is known beyond that it failed
        log.warning("when %s is ready is not known: %s", failed.name, type(error).__name__)
        return failed


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


_probe = Probe(declared)


def readiness() -> list[Check]:
    """Return what each dependency answered; ends within three seconds whatever hangs."""
    return _probe.ask()


def forget() -> None:
    """Let the next caller ask again."""
    global _probe  # noqa: PLW0603 - one for the process
    _probe = Probe(declared)
