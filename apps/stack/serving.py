"""Runs waitress until it is told to stop, and ends within GRACE_SECONDS whatever its requests wait for.

It also ends where it cannot go on, so that the supervisor starts another one: what refuses connections and lives, nobody
would notice.

Waitress itself ends by an exception that a signal raises wherever it is just then, which finalizers and thunks swallow;
it then sends nothing more, and waits for each lane of threads in turn.
"""

import faulthandler
import logging
import os
import sys
import time
from types import FrameType
from typing import Any, NoReturn

from waitress import wasyncore

GRACE_SECONDS = 5.0  # half of what the supervisor waits before it kills
TURN_SECONDS = 1.0  # of the loop that waits: how late a signal may be seen at worst
ENDING_TURN_SECONDS = 0.05
MOST_TURN_SECONDS = 5.0  # that one turn counts for: beyond that this process itself stood still
# That the next request waits for any thread of its lane: far beyond AWS's time-outs with all their retries
STUCK_SECONDS = 300.0


log = logging.getLogger(__name__)


class NoLongerListens(Exception):
    """Waitress closed its own socket: an error on the way to a new connection does that."""


class Stuck(Exception):
    """No thread of a lane has come back for STUCK_SECONDS while requests wait for one, and none waits for its client."""


class Serving:
    """A server that runs, and how it ends."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._told = False
        self._looked = time.monotonic()
        self._waiting: dict[Any, float] = {}  # the connections whose turn is next, and for how many seconds

    def tell(self, _number: int, _frame: FrameType | None) -> None:
        """Have it end: a handler of signals, which only leaves word."""
        self._told = True
        self._server.pull_trigger()

    def run(self) -> bool:
        """Serve until told to stop; return whether every request under way was answered.

        Raises:
            NoLongerListens, Stuck: nobody is answered any more.
        """
        while not self._told:
            self._turn(TURN_SECONDS)
            if self._server.socket is None:
                raise NoLongerListens
            self._look_at_lanes()
        return self._end()

    def _look_at_lanes(self) -> None:
        """See that threads come back: health has one of its own, and would say for ever that all is well."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, MOST_TURN_SECONDS), now
        first = [] if self._waits_for_client else self._server.task_dispatcher.first_waiting
        self._waiting = {one: self._waiting.get(one, 0.0) + passed for one in first}
        if any(seconds > STUCK_SECONDS for seconds in self._waiting.values()):
            raise Stuck

    @property
    def _waits_for_client(self) -> bool:
        """Return whether a thread may wait for somebody who reads slowly, which is no fault of its own."""
        most = self._server.adj.outbuf_high_watermark
        return any(
            channel.total_outbufs_len > most for channel in list(self._server.active_channels.values())
        )

    def _end(self) -> bool:
        """Take nothing more, let what is under way end, and send its answers."""
        wasyncore.dispatcher.close(self._server)  # its socket only: the trigger still wakes the loop
        dispatcher = self._server.task_dispatcher
        dispatcher.set_thread_count(0)
        deadline = time.monotonic() + GRACE_SECONDS
        while not dispatcher.has_ended or self._has_unsent:
            if time.monotonic() > deadline:
                return False
            self._turn(ENDING_TURN_SECONDS)
        return True

    @property
    def _has_unsent(self) -> bool:
        return any(channel.total_outbufs_len for channel in self._server.active_channels.values())

    def _turn(self, seconds: float) -> None:
        # The map of the server's sockets is waitress's own way to share a loop. By poll: select raises for the 1024th file
        # of a process, and for a socket that a thread closed meanwhile, and that would end the server
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._server._map, count=1)  # noqa: SLF001


def serve(serving: Serving) -> NoReturn:
    """Serve, and end this process with 0 where it was told to stop, with 1 where it cannot go on."""
    try:
        serving.run()
    except Exception:
        log.exception("the web worker cannot go on")
        faulthandler.dump_traceback()  # where each thread is
        leave(1)
    leave(0)


def leave(code: int) -> NoReturn:
    """End this process now: a thread that still waits for something would hold the interpreter's own end up.

    Nothing is lost with it: what was acknowledged is in AWS.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
