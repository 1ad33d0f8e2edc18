"""Threads of the web server: those of health apart from the others, so that neither waits until others have done."""

from typing import Any

from waitress.task import ThreadedTaskDispatcher

HEALTH = "/api/v1/health"
LANES = {HEALTH: 1, f"{HEALTH}/ready": 1}
"""Paths with threads of their own, and how many."""


class Lanes:
    """Dispatches requests to threads as waitress does, each lane with threads of its own."""

    def __init__(self, threads: int) -> None:
        self._lanes = {path: _dispatcher(number) for path, number in LANES.items()}
        self._others = _dispatcher(threads)

    def add_task(self, channel: Any) -> None:
        """Queue a connection whose next request is there."""
        request = channel.requests[0] if channel.requests else None
        self._lanes.get(getattr(request, "path", ""), self._others).add_task(channel)

    def set_thread_count(self, count: int) -> None:
        """End all threads where waitress asks for none; their number is fixed otherwise."""
        if not count:
            for lane in (*self._lanes.values(), self._others):
                lane.set_thread_count(0)

    @property
    def first_waiting(self) -> list[Any]:
        """Of each lane that has no thread free, the connection whose turn is next."""
        return [first for lane in (*self._lanes.values(), self._others) for first in _first(lane)]

    @property
    def has_ended(self) -> bool:
        """Return whether every thread has ended, which they do once their number is set to none."""
        return not any(lane.threads for lane in (*self._lanes.values(), self._others))

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        """Let what is under way end, all lanes together."""
        self.set_thread_count(0)  # else each would only begin to end once the one before has ended
        lanes = (*self._lanes.values(), self._others)
        ended = [lane.shutdown(cancel_pending, timeout) for lane in lanes]  # each of them
        return all(ended)


def _first(lane: ThreadedTaskDispatcher) -> list[Any]:
    with lane.lock:
        return list(lane.queue)[:1]


def _dispatcher(threads: int) -> ThreadedTaskDispatcher:
    made = ThreadedTaskDispatcher()
    made.set_thread_count(threads)
    return made
